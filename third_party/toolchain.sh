#!/bin/sh
# The private tool chain: a current shader compiler, Vulkan headers, volk, validation layer and CPU
# drivers, unpacked from Debian packages into a folder. Nothing outside the folder changes; root is
# not needed. What is in it and why: README.md beside this file.
#
#   toolchain.sh DIR
#
#   DIR/bin       glslc, spirv-val
#   DIR/include   vulkan/ vk_video/ volk.h volk.c, and nothing that would shadow the machine's libc
#   DIR/root      the unpacked packages, their own libc included; run programs on its drivers with
#                 tests/support/on-driver.sh
#   DIR/done      what was unpacked; a second call with the same list returns at once
#
# Exit 1, with the reason: this machine cannot have it (no apt, offline, no such suite).
set -eu
suite=forky
packages="libc6 glslc spirv-tools libvulkan-dev libvulkan-volk-dev libvulkan1 mesa-vulkan-drivers mesa-drm-shim
vulkan-validationlayers"

[ $# -eq 1 ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "toolchain: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
list="$suite $packages swiftshader mock"
[ "$(cat "$dir/done" 2>/dev/null)" != "$list" ] || exit 0
(cd "$dir" && rm -rf bin include root apt "done")
arch=$(dpkg --print-architecture 2>/dev/null) || fail "dpkg is not there: only Debian and its relatives have it"

# libvulkan-dev names a Python that only its generators need.
# shellcheck disable=SC2086
"$here/unpack.sh" --without python3 "$dir" $suite "$arch" $packages || exit 1
mkdir -p "$dir/bin" "$dir/include"
libs=$(cd "$dir/root" && echo usr/lib/*-linux-gnu)
for tool in glslc spirv-val; do
    cat > "$dir/bin/$tool" <<W
#!/bin/sh
root=\${0%/*}/../root
exec "\$root/$libs"/ld-linux*.so.* --library-path "\$root/$libs" "\$root/usr/bin/$tool" "\$@"
W
    chmod +x "$dir/bin/$tool"
done
for header in vulkan vk_video volk.h volk.c; do
    ln -s "../root/usr/include/$header" "$dir/include/$header"
done

# SwiftShader, a second CPU driver that shares no code with Mesa, and Vulkan's mock driver come inside
# Chromium. Only these files of the package are wanted, without its dependencies, and the build works
# without them.
icds=usr/share/vulkan/icd.d
if "$here/unpack.sh" --files '*/libvk_swiftshader.so */vk_swiftshader_icd.json */libVkICD_mock_icd.so' \
    "$dir" $suite "$arch" chromium-common; then
    (cd "$dir/root" && mv usr/lib/chromium/*.so usr/lib/chromium/*.json $icds/)
    echo '{"file_format_version": "1.0.0",
 "ICD": {"library_path": "./libVkICD_mock_icd.so", "api_version": "1.1.0"}}' > "$dir/root/$icds/mock_icd.json"
else
    echo "toolchain: SwiftShader and the mock driver cannot be had: their tests are left out" >&2
fi
rm -rf "$dir/apt"
"$dir/bin/glslc" --version >/dev/null || fail "the unpacked compiler does not run here"
echo "$list" > "$dir/done"
