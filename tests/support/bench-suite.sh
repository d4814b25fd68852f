#!/bin/sh
# The figures that ternvk is judged by, on the device at hand, as a table in markdown.
#
#   bench-suite.sh TERNVK [-r ATTEMPTS] [-o ROWS.jsonl] [-m FILE.gguf] [-q] [-- OPTIONS...]
#
#   -r  how often everything is run from the start, one after the other (3)
#   -o  every row of `bench -o jsonl` of every attempt, appended
#   -m  a model whose start is timed too: process start to first token, with the kernels that an
#       earlier start compiled and without
#   -q  one layer of each shape and short texts: whether the script works, not how fast anything is
#   OPTIONS are given to every `bench` ("-- --device 1 --exact")
#
# Shapes have random weights. Each attempt is a process of its own with 5 timed runs a test; the table
# has the median of the attempts' medians, the least and the largest of them, and every one.
set -eu
usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
ternvk=$1
shift
attempts=3 rows= model= quick=
while [ $# -gt 0 ]; do
    case $1 in
        -r) attempts=${2:?} && shift 2 ;;
        -o) rows=${2:?} && shift 2 ;;
        -m) model=${2:?} && shift 2 ;;
        -q) quick=1 && shift ;;
        --) shift && break ;;
        *) usage ;;
    esac
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# bench ARGS...: rows of one process
bench() {
    "$ternvk" bench -r 5 -o jsonl "$@" >>"$work/rows" 2>"$work/err" || {
        cat "$work/err" >&2
        exit 1
    }
}

# start NAME CACHE: milliseconds from process start to first token
start() {
    ms=$(XDG_CACHE_HOME=$2 "$ternvk" run -m "$model" -n 1 --temp 0 --ignore-eos "Once upon a time" \
        2>&1 >/dev/null | sed -n 's/.*first token after \([0-9]*\) ms.*/\1/p')
    printf '{"device":"","model_name":"%s","test":"%s","median_ts":%s,"cpu":null}\n' \
        "${model##*/}" "$1" "${ms:?no statistics: does the model run?}" >>"$work/rows"
}

attempt() {
    if [ "$quick" ]; then
        bench --shape bitnet-2b4t --layers 1 --embedding-type q8_0 -p 16 -n 4 -np 1,4 "$@"
        bench --shape 25m --layers 1 -p 0 -n 4 "$@"
    else
        bench --shape bitnet-2b4t --embedding-type q8_0 -p 512 -n 128 -np 1,32 -ub 512 "$@"
        bench --shape bitnet-2b4t --embedding-type q8_0 -p 2048 -n 0 -ub 2048 "$@"
        bench --shape bitnet-2b4t --embedding-type q8_0 -p 0 -n 128 -d 4096 "$@"
        bench --shape 25m -p 0 -n 128 "$@"
        bench --shape bitnet-7b -p 0 -n 128 "$@"
        bench --shape llama-3b -p 0 -n 128 "$@"
    fi
    [ "$model" ] || return 0
    start "start, nothing compiled, ms" "$work/cache-$n"
    start "start, compiled before, ms" "$work/cache-$n"
}

n=0
while [ "$n" -lt "$attempts" ]; do
    n=$((n + 1))
    attempt "$@"
done
[ -z "$rows" ] || grep -v '"device":""' "$work/rows" >>"$rows"

awk '
function field(name, text) {
    if (!match($0, "\"" name "\":(\"[^\"]*\"|[^,}]*)")) return ""
    text = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
    gsub(/"/, "", text)
    return text
}
function sort(list, count,    i, j, v) {
    for (i = 2; i <= count; i++) {
        v = list[i] + 0
        for (j = i - 1; j >= 1 && list[j] + 0 > v; j--) list[j + 1] = list[j]
        list[j + 1] = v
    }
}
{
    key = field("model_name") " | " field("type_embedding") " | " field("test")
    if (!(key in all)) order[++keys] = key
    all[key] = all[key] " " field("median_ts")
    cpu[key] = field("cpu")
    if (field("gpu_info") != "")
        device = field("gpu_info") ", " field("driver") ", ternvk " field("version") " (" field("build_commit") ")"
}
END {
    print device "; tokens/s:\n"
    print "| model | embedding, head | test | median | least..largest | attempts | cpu |"
    print "|---|---|---|--:|--:|---|--:|"
    for (k = 1; k <= keys; k++) {
        count = split(substr(all[order[k]], 2), list, " ")
        each = ""
        for (i = 1; i <= count; i++) each = each (i > 1 ? ", " : "") sprintf("%.1f", list[i])
        sort(list, count)
        median = (list[int((count + 1) / 2)] + list[int(count / 2) + 1]) / 2
        c = cpu[order[k]]
        printf "| %s | %.1f | %.1f..%.1f | %s | %s |\n", order[k], median, list[1], list[count], each,
            c == "" || c == "null" ? "-" : sprintf("%.0f %%", 100 * c)
    }
}' "$work/rows"
