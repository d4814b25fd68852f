#!/bin/sh
# Run a program on one of the CPU drivers, whatever GPU the machine has.
#
#   on-driver.sh DRIVER PROGRAM [ARGS...]
#
#   lavapipe[:BITS]  Mesa of the private tool chain; BITS 128, 256, 512 = subgroup 4, 8, 16
#   swiftshader      SwiftShader of the private tool chain; subgroup 4, no 8- or 16-bit types
#   mock             the mock driver of the private tool chain: computes nothing
#   system[:BITS]    the machine's own lavapipe
#
# TVK_TOOLCHAIN names the tool chain's folder (build/toolchain else). Exit 77, a test's "skipped",
# when the driver is not there. Programs run with the tool chain's own libc, started through its
# dynamic linker: PROGRAM must be an ELF file. The matching validation layer can be found by a
# program that asks for it. The machine's implicit layers are left out: they are built for its libc.
set -eu
[ $# -ge 2 ] || { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=${TVK_TOOLCHAIN:-$here/../../build/toolchain}/root
icds=$root/usr/share/vulkan/icd.d
case $1 in *:*) export LP_NATIVE_VECTOR_WIDTH="${1#*:}" ;; esac
case ${1%%:*} in
    lavapipe) icd=$icds/lvp_icd.json ;;
    swiftshader) icd=$icds/vk_swiftshader_icd.json ;;
    mock) icd=$icds/mock_icd.json ;;
    system)
        root=
        for icd in /usr/share/vulkan/icd.d/lvp_icd*.json; do :; done ;;
    *) echo "on-driver.sh: unknown driver '$1'" >&2; exit 2 ;;
esac
[ -e "$icd" ] || { echo "on-driver.sh: $1 is not on this machine: skipped" >&2; exit 77; }
shift
export VK_DRIVER_FILES="$icd" VK_ICD_FILENAMES="$icd" # the second for loaders before 1.3.207
export VK_LOADER_LAYERS_DISABLE='~implicit~'
if [ -z "$root" ]; then
    exec "$@"
fi
export XDG_DATA_DIRS=/nonexistent VK_LAYER_PATH="$root/usr/share/vulkan/explicit_layer.d"
for libs in "$root"/usr/lib/*-linux-gnu; do :; done
for ld in "$libs"/ld-linux*.so.*; do :; done
program=$1
shift
case $program in */*) ;; *) program=$(command -v "$program") ;; esac
exec "$ld" --library-path "$libs" "$program" "$@"
