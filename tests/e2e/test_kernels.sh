#!/bin/sh
# `ternvk kernels` as a person meets it: forms, files of results, --compare, --report, --kernel.
#
#   test_kernels.sh TERNVK SOURCE ON_DRIVER WORK DRIVER
#
# DRIVER: what to measure on; the newest lavapipe has libshaderc beside it. SOURCE: the repository. Results
# of two invented devices lie in tests/e2e/kernels; their numbers are such that rates can be worked out by
# hand. WORK: an empty folder for files.
set -u
ternvk=$1 source=$2 on_driver=$3 work=$4 driver=$5
first=$source/tests/e2e/kernels/first.json second=$source/tests/e2e/kernels/second.json
rm -rf "$work"
mkdir -p "$work"
export XDG_CACHE_HOME="$work/cache"
failed=0

note() {
    failed=$((failed + 1))
    echo "FAIL: $1"
    sed 's/^/    /' "$work/err" | head -5
}
# files ARGS...: no device
files() {
    "$ternvk" kernels "$@" >"$work/out" 2>"$work/err"
    code=$?
}
measured() {
    "$on_driver" "$driver" "$ternvk" kernels "$@" >"$work/out" 2>"$work/err"
    code=$?
}
# refuses CODE WORDS: of the last call, one line
refuses() {
    [ $code = "$1" ] || note "exit code $1 expected, $code found ($2)"
    [ "$(grep -c '^ternvk: ' "$work/err")" = 1 ] || note "one line of error expected ($2)"
    grep '^ternvk: ' "$work/err" | grep -Eq -e "$2" || note "no '$2' in the error"
}
has() { grep -Eq -e "$2" "$1" || note "no '$2' in $1"; }
lacks() { ! grep -Eq -e "$2" "$1" || note "'$2' in $1"; }

# ---- results of files ----
files "$first"
[ $code = 0 ] || note "a file is printed"
# 2,000,000 bytes in 10 us at a peak of 400 GB/s; 8,000,000 operations; 15 us less 4
has "$work/out" '^\| gemv_t2_i8 \| N 2560 K 2560 T 1 \|.* 10\.00 \|.* 15\.00 \| 11\.00 \| 200\.00 \| 0\.8 \| 50 % memory \| 100 % \|$'
has "$work/out" 'N 22016 K 4096 T 2048 \| - \| skipped: y takes 180355072 bytes'
has "$work/out" 'T 512 \|.*\| 0\.195 % \|$' # sampled
files -o csv "$first"
[ "$(wc -l <"$work/out")" = 23 ] || note "CSV: a head and 22 rows"
files -o jsonl "$first"
[ "$(grep -c '"gb_per_s":' "$work/out")" = 22 ] || note "JSON lines: 22 rows"
files -o json "$first"
cp "$work/out" "$work/again.json"
files -o json "$work/again.json"
cmp -s "$work/out" "$work/again.json" || note "JSON that was read is written as it was"

for kept in "$source"/docs/bench/*.json; do
    files "$kept"
    [ $code = 0 ] || note "$kept is read"
    lacks "$work/out" 'WRONG'
done

# ---- comparing ----
files --compare "$first" "$first"
[ $code = 0 ] || note "equal results: exit code 0"
has "$work/out" '^21 compared: 0 slower, 0 faster; 0 wrong, 0 missing, 0 new$'
sed 's/"ns_median": 10000,/"ns_median": 12000,/' "$first" >"$work/slower.json"
files --compare "$first" "$work/slower.json"
[ $code = 1 ] || note "a slower row: exit code 1"
has "$work/out" '^slower +gemv_t2_i8 \| N 2560 K 2560 T 1 .*10\.00 us -> 12\.00 us, \+20\.0 %$'
files --compare "$first" --threshold 25 "$work/slower.json"
[ $code = 0 ] || note "within the threshold: exit code 0"
files --compare "$work/slower.json" "$first"
[ $code = 0 ] || note "a faster row: exit code 0"
has "$work/out" '^faster .*-16\.7 %$'
sed 's/"row": "rmsnorm_topk/"row": "rmsnorm_other/' "$first" >"$work/renamed.json"
files --compare "$first" "$work/renamed.json"
[ $code = 0 ] || note "a row of another name: exit code 0"
has "$work/out" '^missing +rmsnorm_topk \| K 2560 T 1 of 1 \| rmsnorm_topk\['
has "$work/out" '^new +rmsnorm_topk \| K 2560 T 1 of 1 \| rmsnorm_other\['
has "$work/out" '^20 compared: .*; 0 wrong, 1 missing, 1 new$'
sed '/"N 2560 K 2560 T 1"/!s/"status": "ok"/"status": "wrong"/' "$first" >"$work/wrong.json"
files --compare "$first" "$work/wrong.json"
[ $code = 1 ] || note "rows that are wrong now: exit code 1"
has "$work/out" '^wrong +gemv_t2_i8 \| N 3840 K 2560 T 1 \| gemv_t2_i8\['
has "$work/out" '^1 compared: 0 slower, 0 faster; 20 wrong, 0 missing, 0 new$'
files --compare "$work/wrong.json" "$first"
[ $code = 0 ] || note "rows that were wrong: exit code 0"
has "$work/out" '^1 compared: .*; 0 wrong, 0 missing, 20 new$'
sed '/^{"op"/d' "$first" >"$work/no-rows.json"
files --compare "$first" "$work/no-rows.json"
refuses 1 "no row of .*first.json was measured now"
files --compare "$first" -o json "$work/slower.json"
has "$work/err" '^slower ' # standard output stays JSON
files --compare "$first" "$second"
refuses 1 "rows of 'Invented <Two>' expected, of 'Invented & One' found"

# ---- files of others ----
reads() { # reads WORDS CONTENTS
    printf '%s' "$2" >"$work/bad.json"
    files "$work/bad.json"
    refuses 1 "$1"
}
setup='"setup":{"ternvk_kernels":1,"device":"a","driver":"b"}'
files "$work/nowhere.json"
refuses 1 "nowhere.json"
reads "line 1" '{'
reads "not a result of" '[]'
reads "not a result of" '{"setup":{"ternvk_kernels":2},"rows":[]}'
reads "device: a string .* none found" '{"setup":{"ternvk_kernels":1},"rows":[]}'
reads "rows: an array" "{$setup,\"rows\":3}"
reads "rows\[0\]: an object expected, null found" "{$setup,\"rows\":[null]}"
reads "rows\[0\]: op: .* none found" "{$setup,\"rows\":[{}]}"
row='"op":"x","case":"y","row":"z"'
reads "status: ok, wrong or skipped expected, 'fine' found" "{$setup,\"rows\":[{$row,\"status\":\"fine\"}]}"
reads "ns_median: 0 or a number from 1e-18 to 1e\\+18" "{$setup,\"rows\":[{$row,\"status\":\"ok\",\"ns_median\":-1}]}"
reads "ns_median: .* a string found" "{$setup,\"rows\":[{$row,\"status\":\"ok\",\"ns_median\":\"1\"}]}"
reads "case: a string of less than 96 bytes without control" \
    "{$setup,\"rows\":[{\"op\":\"x\",\"case\":\"\\u001b[31m\",\"row\":\"z\",\"status\":\"ok\"}]}"
files "$first" "$second" "$first" "$second" "$first" "$second" "$first" "$second" "$first"
refuses 2 "one word too many"
files --shape 12x "$first"
refuses 2 "NxKxM expected"
files --shape 0x5x1 "$first"
refuses 2 "NxKxM expected"
files -o xml "$first"
refuses 2 "md, csv, json or jsonl expected"
files --row gemv_t2_i8 "$first"
refuses 2 "--kernel FILE.comp expected"
files --compare "$first" "$first" "$second"
refuses 2 "one file"
files --kernel x.comp --variant i8
refuses 2 "variant: not beside --kernel"

# ---- the report ----
page=$work/report.html
files --report "$page" "$first" "$second"
[ $code = 0 ] || note "a report of two devices"
[ ! -e "$page.part" ] || note "nothing lies beside the report"
has "$page" 'Invented &amp; One'
has "$page" 'Invented &lt;Two&gt;'
lacks "$page" '<Two>|made by hand <b>'
lacks "$page" '<script|<link|<img|<iframe|src=|href=|url\(|@import|https?:'
# two rooflines, mat-mats by rows, mat-vecs, attention by depth
[ "$(grep -c '<svg ' "$page")" = 5 ] || note "five charts"
[ "$(grep -c '</svg>' "$page")" = 5 ] || note "five charts that end"
[ "$(grep -o 'class="roof"' "$page" | wc -l)" = 7 ] || note "rooflines of 2 and of 3 units and the memory"
has "$page" '<polyline class="line d0"'
has "$page" '<polyline class="line d1"'
has "$page" 'integer 4 Top/s'
has "$page" 'memory 1.6 TB/s'
has "$page" '>10</td><td>200 GB/s, 0.8 TOPS</td><td>50 % memory</td><td[^>]*><b>2.5</b></td><td>800 GB/s, 3.2 TOPS</td><td>50 % memory</td>'
has "$page" 'skipped: y takes 180355072 bytes'
sed 's/"ns_median": 10000,/"ns_median": 1e-18,/; s/"bytes": 2000000,/"bytes": 1e17,/' "$first" >"$work/odd.json"
files --report "$work/odd.html" "$work/odd.json" # rates beyond any axis
[ $code = 0 ] || note "a page of odd numbers"
files -o json "$work/odd.json"
[ $code = 0 ] || note "odd numbers are written"
lacks "$work/odd.html" 'points="[^"]*(inf|nan)|translate\([^)]*(inf|nan)'
# roofs READ COUNT: a page of the first device with so many GB/s has so many roofs, none a point
roofs() {
    sed "s/\"read_gb_per_s\": 400,/\"read_gb_per_s\": $1,/" "$first" >"$work/roofs.json"
    files --report "$work/roofs.html" "$work/roofs.json"
    [ "$(grep -c 'class="roof"' "$work/roofs.html")" = "$2" ] || note "$2 roofs at $1 GB/s"
    lacks "$work/roofs.html" 'class="roof" points="[^ "]* "'
}
roofs 5.7 3 # the axis begins at 100 Gop/s; in doubles 100 / 5.7 * 5.7 is less
roofs 0.05 1 # the units' roofs begin beyond the axis, whose end is 10,000 operations a byte
lacks "$work/roofs.html" '(integer|f32) [0-9.]+ [GT]op/s</text>'
roofs 0.001 0
echo precious >"$work/kept.html"
for bad in "$work/bad.json" "$first $work/bad.json"; do
    # shellcheck disable=SC2086
    files --report "$work/kept.html" $bad
    [ $code = 1 ] && [ "$(cat "$work/kept.html")" = precious ] || note "a page stays when a file is not one: $bad"
done
files --report "$work/nowhere/x.html" "$first"
refuses 1 "nowhere/x.html cannot be written"

# ---- measuring ----
measured --op gemv_t2_i8 --shape 300x512 -r 2 -o json
if [ $code = 77 ]; then
    cat "$work/err"
    [ $failed = 0 ] || exit 1
    echo "SKIPPED: MEASURING IS NOT TESTED, $driver is not on this machine"
    exit 77
fi
[ $code = 0 ] || note "measuring: exit code 0 expected, $code found"
cp "$work/out" "$work/own.json"
has "$work/own.json" '"case":"N 300 K 512 T 1".*"status":"ok".*"compared_words":300,"wrong_words":0,"checked":1,"samples":2'
files --compare "$work/own.json" --threshold 1 "$work/own.json"
[ $code = 0 ] || note "results are their own equal"
measured --op gemv_t2_i8 --shape 300x512 -r 2 --inner 3 --rotate 1 -o json # 27 copies
[ $code = 0 ] || note "copies of the weights in turn"
has "$work/out" '"inner":3,"rotate_mib":1[,}]'
has "$work/out" '"status":"ok".*"wrong_words":0,"checked":1,"samples":2'
measured --op gemm --shape 33x64x3 -r 1 --report "$work/own.html"
[ $code = 0 ] || note "mat-mats of a shape"
[ "$(grep -c '^| gemm_.* T 3 |' "$work/out")" -ge 8 ] || note "mat-mats of all weights with K 64"
lacks "$work/out" 'gemm_q6' # rows of 256
has "$work/own.html" '</html>'
measured --op no_such_kernel
refuses 2 "no case is of that kernel"

kernel=$work/gemv_t2_i8.comp
cp "$source/shaders/gemv/gemv_t2_i8.comp" "$kernel"
measured --kernel "$work/nowhere.comp" --row gemv_t2_i8
refuses 1 "nowhere.comp cannot be read"
measured --kernel "$kernel" --row gemv_x
refuses 2 "a row of the manifest .* 'gemv_x' found"
measured --kernel "$kernel" --shape 300x512x1 -r 1
if grep -q 'not found (package libshaderc1)' "$work/err"; then
    echo "SKIPPED: --kernel IS NOT TESTED, libshaderc is not on this machine"
    [ "$driver" = system ] || [ $failed != 0 ] || exit 77 # the system's driver has none beside it
else
    [ $code = 0 ] || note "a copy of a kernel is as right as the kernel"
    has "$work/out" '^\| gemv_t2_i8 \| N 300 K 512 T 1 \| gemv_t2_i8.comp\[.*\| 100 % \|$'
    sed 's/int(header.y))/int(header.y) + 1)/' "$kernel" >"$work/off.comp"
    measured --kernel "$work/off.comp" --row gemv_t2_i8 --shape 300x512x1 -r 1
    [ $code = 1 ] || note "a wrong kernel: exit code 1"
    has "$work/out" '\| off.comp\[.*\| WRONG: 300 of 300 words differ: .* \| \| \| \| \| \| \| \|$'
    sed 's/binding = 3/binding = 7/' "$kernel" >"$work/more.comp"
    measured --kernel "$work/more.comp" --row gemv_t2_i8 --shape 300x512x1
    refuses 1 "at most 4 bindings, as gemv_t2_i8 has, expected, 8 found"
    cat >"$work/large.comp" <<'K'
#version 450
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant) uniform Push { uint from[64]; };
layout(binding = 0) buffer To { uint to[]; };
void main() { to[0] = from[63]; }
K
    measured --kernel "$work/large.comp" --row gemv_t2_i8 --shape 300x512x1
    refuses 1 "at most [0-9]+ bytes of push constants, as gemv_t2_i8 has, expected, 256 found"
    sed 's/layout(push.*/layout(constant_id = 31) const uint one = 1u;/; s/from\[63\]/one/' "$work/large.comp" >"$work/constant.comp"
    measured --kernel "$work/constant.comp" --row gemv_t2_i8 --shape 300x512x1
    refuses 1 "at most 29 specialization constants, as gemv_t2_i8 has, expected, 32 found"
    sed 's/_id = [012]/ = 4/g' "$work/large.comp" >"$work/group.comp"
    measured --kernel "$work/group.comp" --row gemv_t2_i8 --shape 300x512x1
    refuses 1 "a workgroup of the specialization constants 0, 1 and 2 expected"
    echo '#version 450' >"$work/none.comp"
    measured --kernel "$work/none.comp" --row gemv_t2_i8
    [ $code = 1 ] || note "what does not compile: exit code 1"
    lacks "$work/out" '.'
fi

[ $failed = 0 ] || echo "$failed failed"
[ $failed = 0 ]
