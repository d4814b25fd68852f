#!/bin/sh
# The vendor matrix: vendors_check on every chip of chips.txt, as many at a time as there are
# processors, a line a chip; at last "vendors: N passed, N failed, N skipped". Exit 1 if any failed,
# 77 if all were skipped.
#
#   matrix.sh [--quick] [--table FILE] [--spoil WHAT] [--chips "NAME..."] OUT CHECK [CHECK_ARM64]
#
#   OUT          folder for what each chip printed: CHIP.log
#   CHECK        vendors_check of this machine; CHECK_ARM64: for chips whose drivers are arm64's
#   --quick      only the chips of ./dev test, fewer models
#   --table      puts the table at the end of FILE (docs/vendors.md), in place of the one that is there
#   --spoil      see check.c: a fault that must make chips fail
#
# A chip whose driver is not there is skipped; one that is refused passes where chips.txt expects it.
# TVK_TOOLCHAIN, TVK_VENDORS, TVK_ARM64: on-chip.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
flags='' when='' table='' chips=''
while :; do
    case ${1:-} in
        --quick) flags="$flags --quick" when=quick; shift ;;
        --table) flags="$flags --table" table=${2:-}; shift 2 || usage ;;
        --spoil) flags="$flags --spoil ${2:-}"; shift 2 || usage ;;
        --chips) chips=${2:-}; shift 2 || usage ;;
        -*) usage ;;
        *) break ;;
    esac
done
[ $# -eq 2 ] || [ $# -eq 3 ] || usage
mkdir -p "$1"
out=$(cd "$1" && pwd)
rm -f "$out"/*.word
awk -v when="$when" -v chips=" $chips " '
    /^#/ || NF == 0 || (when != "" && $6 != when) { next }
    chips == "  " || index(chips, " " $1 " ") { print }' "$here/chips.txt" > "$out/chips"
xargs -r -L 1 -P "$(nproc)" "$here/one.sh" "$out" "$2" "${3:-}" "$flags" < "$out/chips"
if [ -n "$table" ]; then
    { sed '/^<!-- made by .\/dev vendors/,$d' "$table" 2>/dev/null || true
      "$here/table.sh" "$out/chips" "$out"; } > "$out/table.md"
    mv "$out/table.md" "$table"
fi
count() { cat "$out"/*.word | grep -c "$1" || true; }
echo "vendors: $(count passed) passed, $(count failed) failed, $(count skipped) skipped"
[ "$(count failed)" = 0 ] || exit 1
[ "$(count passed)" != 0 ] || exit 77
