#!/bin/sh
# One chip of the matrix, for matrix.sh: CHIP.log and CHIP.log.err in OUT, CHIP.word: passed, failed or
# skipped, and a line on stdout.
#
#   one.sh OUT CHECK CHECK_ARM64 FLAGS FIELDS...
#
# CHECK_ARM64, FLAGS (of vendors_check): may be empty. FIELDS: a line of chips.txt.
set -eu
[ $# -eq 11 ] || { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
program=$2 flags=$4 name=$5 driver=$6 arch=$7 dot=$8 matrix=$9
log=$1/$name.log word=$1/$name.word
# under the emulator a compiler takes 20 times as long: fewer models
[ "$arch" != arm64 ] || program=$3 flags="--quick $flags"
shift 10
expect=$1

rc=77
: > "$log"
if [ -n "$program" ]; then
    rc=0
    # shellcheck disable=SC2086
    timeout 1200 "$here/on-chip.sh" "$driver" "$arch" "$program" $flags "$here/exceptions.txt" "$name" \
        "$dot" "$matrix" > "$log" 2> "$log.err" || rc=$?
fi
case $rc:$expect in
    77:*) result=skipped ;;
    0:use) result=passed ;;
    3:refuse) [ "$(wc -l < "$log")" = 1 ] && result=passed || result=failed ;;
    *) result=failed ;;
esac
echo "$result" > "$word"
printf '%-18s %s\n' "$name" "$result"
if [ "$result" = failed ]; then
    echo "  exit $rc, $expect expected"
    grep -v 'DRM\|drm_' "$log.err" | head -n 60 | sed 's/^/  /'
fi
