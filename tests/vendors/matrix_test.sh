#!/bin/sh
# The test of the matrix: with each fault that vendors_check can have, a chip fails, for that reason;
# without one it passes. matrix_test.sh OUT CHECK
set -eu
here=$(cd "$(dirname "$0")" && pwd)
chip=amd-navi31

# expect STATUS LAST PATTERN ARGUMENTS: of matrix.sh on this chip
expect() {
    status=$1 last=$2 pattern=$3
    shift 3
    rc=0
    "$here/matrix.sh" --quick --chips $chip "$@" "$out" "$check" > "$out.txt" 2>&1 || rc=$?
    [ $rc != 77 ] || exit 77
    if [ $rc != "$status" ] || [ "$(tail -n 1 "$out.txt")" != "vendors: $last" ] ||
        ! grep -q "$pattern" "$out.txt"; then
        echo "matrix.sh $*: exit $status, 'vendors: $last' and '$pattern' expected, exit $rc found:" >&2
        cat "$out.txt" >&2
        exit 1
    fi
}
out=$1 check=$2
expect 0 "1 passed, 0 failed, 0 skipped" "$chip"
expect 1 "0 passed, 1 failed, 0 skipped" "spoiled.128.: spills: 0 expected, [1-9]" --spoil spill
expect 1 "0 passed, 1 failed, 0 skipped" "workgroup size 65536 .* needed" --spoil shape
expect 1 "0 passed, 1 failed, 0 skipped" "asks for dot products: 1 expected, 0 found" --spoil capability
expect 1 "0 passed, 1 failed, 0 skipped" "statistic Spills of another name: expected, none found" --spoil statistic
