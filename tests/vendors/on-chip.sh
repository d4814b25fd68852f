#!/bin/sh
# Run a Vulkan program on a vendor's driver as if a chip of it were there: Mesa's drivers with stubs
# of the kernel's part (package mesa-drm-shim). They compile for real and run nothing: submissions
# succeed, results stay as they were.
#
#   on-chip.sh DRIVER[:ID] ARCH PROGRAM [ARGS...]     DRIVER:ID and ARCH as in chips.txt
#
# TVK_VENDORS names the folder that third_party/vendors.sh filled. Without it (or where it has nothing
# for amd64) the drivers of the private tool chain are used, TVK_TOOLCHAIN, which cover amd64 but for
# Intel. TVK_ARM64: third_party/arm64.sh's folder, for its emulator. Exit 77 when the driver is not there.
set -eu
[ $# -ge 3 ] || { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
vendors=${TVK_VENDORS:-/nonexistent}
arch=$2
root=$vendors/$arch/root
[ "$arch" != amd64 ] || [ -e "$root" ] || root=${TVK_TOOLCHAIN:-$here/../../build/toolchain}/root
case $arch in
    amd64) libs=$root/usr/lib/x86_64-linux-gnu ld=ld-linux-x86-64.so.2 emulator='' ;;
    arm64) libs=$root/usr/lib/aarch64-linux-gnu ld=ld-linux-aarch64.so.1
           emulator=${TVK_ARM64:-$here/../../build/arm64-tools}/bin/qemu-aarch64 ;;
    *) echo "on-chip.sh: unknown architecture '$arch'" >&2; exit 2 ;;
esac
id=${1#*:}
shim=$libs/lib${1%%:*}_noop_drm_shim.so
case ${1%%:*} in
    amdgpu) icd=radeon; export AMDGPU_GPU_ID="$id" ;;
    intel) icd=intel shim=$vendors/libintel_noop_drm_shim.so; export INTEL_STUB_GPU_PLATFORM="$id" ;;
    freedreno) icd=freedreno; export FD_GPU_ID="$id" ;;
    nouveau) icd=nouveau; export NOUVEAU_CHIPSET="0x$id" ;;
    asahi) icd=asahi ;;
    panfrost) icd=panfrost; export PAN_GPU_ID="$id" PAN_I_WANT_A_BROKEN_VULKAN_DRIVER=1 ;;
    v3d) icd=broadcom ;;
    powervr) icd=powervr_mesa; export PVR_I_WANT_A_BROKEN_VULKAN_DRIVER=1 ;;
    *) echo "on-chip.sh: unknown driver '$1'" >&2; exit 2 ;;
esac
icd=$root/usr/share/vulkan/icd.d/${icd}_icd.json
for file in "$libs/$ld" "$icd" "$shim" ${emulator:+"$emulator"}; do
    [ -e "$file" ] || { echo "on-chip.sh: $1: ${file##*/} is not there: skipped" >&2; exit 77; }
done
export VK_DRIVER_FILES="$icd" VK_ICD_FILENAMES="$icd" XDG_DATA_DIRS=/nonexistent
export VK_LOADER_LAYERS_DISABLE='~implicit~'
export MESA_SHADER_CACHE_DISABLE=true # a cached program has no statistics
program=$3
shift 3
exec ${emulator:+"$emulator"} "$libs/$ld" --library-path "$libs" --preload "$shim" "$program" "$@"
