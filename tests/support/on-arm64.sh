#!/bin/sh
# Run an arm64 program under qemu, on arm64 lavapipe where it wants Vulkan.
#
#   on-arm64.sh TOOLS PROGRAM [ARGS...]
#
# TOOLS is what third_party/arm64.sh made. Exit 77, a test's "skipped", when it is not there. Subgroups
# have 4 invocations: NEON's vectors are 128 bits.
set -eu
[ $# -ge 2 ] || { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$1/target/root
[ -e "$1/done" ] || { echo "on-arm64.sh: no arm64 tools in $1: skipped" >&2; exit 77; }
qemu=$1/bin/qemu-aarch64
shift
export VK_DRIVER_FILES="$root/usr/share/vulkan/icd.d/lvp_icd.json" VK_LOADER_LAYERS_DISABLE='~implicit~'
export XDG_DATA_DIRS=/nonexistent
libs=$root/usr/lib/aarch64-linux-gnu
exec "$qemu" "$libs/ld-linux-aarch64.so.1" --library-path "$libs" "$@"
