#!/bin/sh
# The poorest devices run the whole program: under the limits of Android's profiles (profiles/*.txt) on
# lavapipe, where the text must be that of the unlowered device, and on Vulkan's mock driver, which
# claims little and computes nothing. What is too poor is refused in one line.
#
#   poorest.sh TERNVK MODEL
set -eu
[ $# -eq 2 ] || { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
fail() { echo "poorest.sh: $*" >&2; exit 1; }

# generate DRIVER ARGUMENTS: sixteen tokens on stdout
generate() {
    driver=$1
    shift
    "$here/../support/on-driver.sh" "$driver" "$ternvk" run -m "$model" -n 16 --temp 0 --no-tune \
        -p "Once upon a time" "$@"
}
ternvk=$1 model=$2
said=$(mktemp)
trap 'rm -f "$said"' EXIT
want=$(generate lavapipe:256 2>"$said") || { rc=$?; cat "$said" >&2; exit $rc; }
for profile in "$here"/profiles/*.txt; do
    rc=0
    got=$(generate lavapipe:256 --clamps "$profile" 2>"$said") || rc=$?
    case $profile:$rc in
        */android-2021.txt:1) # refused
            if [ "$(wc -l < "$said")" != 1 ] || ! grep -q "Vulkan: 1.1 needed, 1.0 found" "$said"; then
                fail "${profile##*/}: one line expected: $(cat "$said")"
            fi ;;
        *:0) [ "$got" = "$want" ] || fail "${profile##*/}: '$want' expected, '$got' found" ;;
        *) fail "${profile##*/}: exit $rc: $(cat "$said")" ;;
    esac
done
rc=0
generate mock >/dev/null 2>"$said" || rc=$?
case $rc in
    0) ;;
    77) echo "poorest.sh: no mock driver: that part is left out, the others passed: skipped" >&2; exit 77 ;;
    *) fail "mock driver: exit $rc: $(cat "$said")" ;;
esac
