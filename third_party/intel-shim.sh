#!/bin/sh
# Mesa's stub of the Intel kernel driver, which Debian's package mesa-drm-shim leaves out on x86-64:
# built from Debian trixie's source package of Mesa with trixie's compiler, both unpacked into a
# folder of their own, which is removed afterwards. It serves newer Mesa drivers too. About 1.5 minutes
# on 2 cores; needs root or user namespaces (the compiler runs under chroot).
#
#   intel-shim.sh FILE       makes FILE, libintel_noop_drm_shim.so; returns at once when it is there
#
# Exit 1, with the reason, when it cannot be had.
set -eu
[ $# -eq 1 ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ ! -e "$1" ] || exit 0
fail() { echo "intel-shim: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$1")"
dir=$(cd "$(dirname "$1")" && pwd)/intel-shim.build
as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="unshare --map-root-user"
    $as_root true 2>/dev/null || fail "neither root nor user namespaces"
fi
rm -rf "$dir"
"$here/unpack.sh" "$dir" trixie amd64 base-files bash dash coreutils sed grep mawk gcc g++ meson ninja-build \
    pkg-config python3 python3-mako python3-yaml python3-packaging bison flex libdrm-dev zlib1g-dev \
    libexpat1-dev libelf-dev libzstd-dev glslang-tools findutils diffutils || exit 1
"$here/unpack.sh" --source "$dir" trixie amd64 mesa || exit 1
rm -rf "$dir/apt"
root=$dir/root
mv "$dir/source/mesa" "$root/mesa"
# What maintainer scripts would have made.
for link in bin sbin lib lib64; do
    [ -e "$root/$link" ] || ln -s usr/$link "$root/$link"
done
[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"
mkdir -p "$root/tmp" "$root/dev"
ln -s ../urandom "$root/dev/urandom" # no device nodes without root; a file does for what asks
head -c 4096 /dev/urandom > "$root/urandom"
: > "$root/dev/null"
cat > "$root/build.sh" <<'S'
set -e
export PATH=/usr/bin LC_ALL=C.UTF-8 HOME=/tmp CC=gcc CXX=g++
cd /mesa
meson setup b -Dbuildtype=release -Dvulkan-drivers= -Dgallium-drivers= -Dtools=drm-shim,intel \
    -Dplatforms= -Dglx=disabled -Degl=disabled -Dgbm=disabled -Dopengl=false -Dgles1=disabled \
    -Dgles2=disabled -Dllvm=disabled -Dvideo-codecs= -Dvalgrind=disabled -Dlibunwind=disabled \
    -Dlmsensors=disabled
ninja -C b src/intel/tools/libintel_noop_drm_shim.so
S
$as_root nice chroot "$root" /usr/bin/bash /build.sh > "$dir/build.log" 2>&1 ||
    { tail -n 20 "$dir/build.log" >&2; fail "the build failed"; }
mv "$root/mesa/b/src/intel/tools/libintel_noop_drm_shim.so" "$1"
rm -rf "$dir"
