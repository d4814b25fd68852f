#!/bin/sh
# What 64-bit ARM Linux programs are built and tried with on another machine, unpacked from Debian
# packages into a folder. Nothing outside the folder changes; root is not needed.
#
#   arm64.sh DIR
#
#   DIR/bin      aarch64-linux-gnu-gcc, -ar, -ranlib, -strip: Debian 12's, so that programs run where its
#                libc or a later one is; qemu-aarch64
#   DIR/target   libc, Vulkan loader and Mesa's drivers for arm64, of the suite that the tool chain has;
#                run programs with tests/support/on-arm64.sh
#   DIR/done     what was unpacked; a second call with the same list returns at once
#
# 600 MB, 30 s. Exit 1, with the reason: this machine cannot have it.
set -eu
compiler="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
drivers="libc6 libvulkan1 mesa-vulkan-drivers"
suite=forky

[ $# -eq 1 ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "arm64: $*" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
list="bookworm $compiler qemu-user-static pauth=off, $suite $drivers"
[ "$(cat "$dir/done" 2>/dev/null)" != "$list" ] || exit 0
command -v dpkg >/dev/null || fail "dpkg is not there: only Debian and its relatives have it"
arch=$(dpkg --print-architecture)
[ "$arch" != arm64 ] || fail "this machine is arm64 itself: ./dev build"
(cd "$dir" && rm -rf bin cross target "done")

# shellcheck disable=SC2086
"$here/unpack.sh" "$dir/cross" bookworm "$arch" $compiler
"$here/unpack.sh" --files '*/qemu-aarch64-static' "$dir/cross" bookworm "$arch" qemu-user-static
# shellcheck disable=SC2086
"$here/unpack.sh" "$dir/target" $suite arm64 $drivers
rm -rf "$dir/cross/apt" "$dir/target/apt"

mkdir -p "$dir/bin"
libs=$(cd "$dir/cross/root" && dirname usr/lib/*/libopcodes-*-arm64.so) # this machine's, not the target's
for tool in gcc ar ranlib strip; do
    sysroot=
    # shellcheck disable=SC2016
    [ $tool != gcc ] || sysroot='--sysroot="$root"'
    cat > "$dir/bin/aarch64-linux-gnu-$tool" <<W
#!/bin/sh
root=\$(cd "\${0%/*}/../cross/root" && pwd)
LD_LIBRARY_PATH="\$root/$libs" exec "\$root/usr/bin/aarch64-linux-gnu-$tool" $sysroot "\$@"
W
    chmod +x "$dir/bin/aarch64-linux-gnu-$tool"
done
# Debian's programs sign the return address of every function. qemu computes that cipher bit by bit, which
# is four fifths of what lavapipe's compiler takes; a processor that does not sign has no such instructions.
cat > "$dir/bin/qemu-aarch64" <<'W'
#!/bin/sh
exec "${0%/*}/../cross/root/usr/bin/qemu-aarch64-static" -cpu max,pauth=off "$@"
W
chmod +x "$dir/bin/qemu-aarch64"
"$dir/bin/aarch64-linux-gnu-gcc" --version >/dev/null || fail "the unpacked compiler does not run here"
echo "$list" > "$dir/done"
