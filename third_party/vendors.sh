#!/bin/sh
# Drivers of the vendor matrix (tests/vendors): Mesa of Debian's suite sid for amd64 and arm64 with
# stubs of the kernel's part, and the stub for Intel, which must be built.
# Nothing is installed; about 0.8 GB, 3 minutes at the first call.
#
#   vendors.sh DIR
#
#   DIR/amd64/root, DIR/arm64/root       the drivers and their libc
#   DIR/amd64/done, DIR/arm64/done       what was unpacked; the same list again returns at once
#   DIR/libintel_noop_drm_shim.so        not there where it cannot be built: its chips are skipped
#
# Exit 1 when there is nothing for amd64, with the reason.
set -eu
[ $# -eq 1 ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
suite=sid # knows chips that forky's Mesa does not: NVIDIA since Ada, V3D, PowerVR
packages="libc6 libvulkan1 mesa-vulkan-drivers mesa-drm-shim"

# drivers ARCH: DIR/ARCH/root, once
drivers() {
    [ "$(cat "$dir/$1/done" 2>/dev/null)" != "$suite $packages" ] || return 0
    rm -rf "${dir:?}/$1"
    # shellcheck disable=SC2086
    "$here/unpack.sh" "$dir/$1" $suite "$1" $packages || { rm -rf "${dir:?}/$1"; return 1; }
    rm -rf "$dir/$1/apt"
    echo "$suite $packages" > "$dir/$1/done"
}
for arch in amd64 arm64; do
    drivers $arch ||
        echo "vendors: no drivers for $arch: its chips are skipped" >&2
done
[ -e "$dir/amd64/done" ] || exit 1
"$here/intel-shim.sh" "$dir/libintel_noop_drm_shim.so" ||
    echo "vendors: no stub for Intel: its chips are skipped" >&2
