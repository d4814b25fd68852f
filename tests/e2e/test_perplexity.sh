#!/bin/sh
# `ternvk perplexity` against sums made in another way (expect_perplexity), and against the figures of
# models/README.md, which come from a float32 forward pass in another language.
#
#   test_perplexity.sh TERNVK EXPECT MODELS ON_DRIVER DRIVER WORK [CORPUS]
#
# With CORPUS (tinystories.val.txt) the whole text is scored: some minutes on a CPU driver.
set -u
ternvk=$1 expect=$2 models=$3 on_driver=$4 driver=$5 work=$6 corpus=${7:-}
end='<|endoftext|>'
failed=0
mkdir -p "$work"

# near WHAT EXPECTED FOUND TOLERANCE
near() {
    if ! awk -v a="$2" -v b="$3" -v t="$4" 'BEGIN { exit !(b != "" && (a - b <= t) && (b - a <= t)) }'; then
        failed=$((failed + 1))
        echo "FAIL: $1: $2 expected, '$3' found (tolerance $4)"
        grep "^ternvk: " "$work/err"
    fi
}

perplexity() {
    "$on_driver" "$driver" "$ternvk" perplexity -ctk f32 -ctv f32 "$@" >"$work/out" 2>"$work/err"
    code=$?
    [ $code = 0 ] || { failed=$((failed + 1)); echo "FAIL: perplexity $*: exit code $code"; cat "$work/err"; }
    ppl=$(sed -n 's/^PPL = \([^ ]*\) .*/\1/p' "$work/out")
    error=$(sed -n 's/^PPL = .* +\/- //p' "$work/out")
    bpb=$(sed -n 's/^bits per byte = //p' "$work/out")
    tokens=$(sed -n 's/.* \([0-9]*\) tokens\( scored\)*\(,.*\)*$/\1/p' "$work/out")
    bytes=$(sed -n 's/.* \([0-9]*\) bytes$/\1/p' "$work/out")
    parts=$(sed -n 's/^\([0-9]*\) \(documents\|chunks\) .*/\1/p' "$work/out")
}

# zeros COLUMN: of the table that --stats prints
zeros() {
    awk -F'|' -v c="$1" '/^\| position/ { print $c + 0 }' "$work/out"
}

if [ -n "$corpus" ]; then
    if [ ! -e "$corpus" ]; then
        echo "SKIPPED: $corpus is not on this machine"
        exit 77
    fi
    # the last five: zeros in % of what enters QKV and O, gate and up, down, and gates <= 0
    for row in "stories-b158.gguf 5.812 0.6558 0.9 1.7 1.0 83.6 68.3" \
        "stories-a48.gguf 5.833 0.6571 11.6 50.0 11.8 83.6 68.2" \
        "stories-fp16-00001-of-00003.gguf 5.887 0.6606"; do
        # shellcheck disable=SC2086
        set -- $row
        perplexity -m "$models/$1" -f "$corpus" --split "$end" --stats
        cat "$work/out"
        if [ -n "${4:-}" ]; then
            near "$1: zeros into QKV" "$4" "$(zeros 4)" 0.1
            near "$1: zeros into O" "$5" "$(zeros 5)" 0.1
            near "$1: zeros into gate and up" "$6" "$(zeros 7)" 0.1
            near "$1: zeros into down" "$7" "$(zeros 8)" 0.1
            near "$1: gates <= 0" "$8" "$(zeros 10)" 0.1
        fi
        near "$1: perplexity" "$2" "$ppl" 0.002
        near "$1: bits per byte" "$3" "$bpb" 0.0003
        near "$1: tokens" 98682 "$tokens" 0
        near "$1: bytes" 382058 "$bytes" 0
    done
    [ $failed = 0 ]
    exit
fi

cat >"$work/text" <<'TEXT'
Once upon a time, there was a little girl named Lily. She had a red ball and a small dog.
One day the dog took the ball and ran into the garden. Lily laughed and ran after him.
<|endoftext|>

  Tom was sad because it was raining. His mom said, "Let's make a boat from paper."
They made a big boat, and Tom was happy again.  
<|endoftext|>
<|endoftext|>The cat sat on the mat.<|endoftext|>
A bird had a nest in a tall tree. The wind was strong, and the nest fell down. A boy put it back.
The bird sang a song for the boy.
<|endoftext|>
Yes.
<|endoftext|>
Ünïcödé ✓ 123
TEXT
printf '\377\376 bad bytes \200\n' >>"$work/text"

# the machine's own lavapipe is slow: one model there
list="stories-b158.gguf stories-fp16-00001-of-00003.gguf"
[ "$driver" != system ] || list="stories-b158.gguf"
for model in $list; do
    want=$("$on_driver" "$driver" "$expect" "$models/$model" "$work/text" "$end")
    code=$?
    [ $code != 77 ] || { echo "SKIPPED: no device"; exit 77; }
    echo "$model: $want"
    # shellcheck disable=SC2086
    set -- $want
    perplexity -m "$models/$model" -f "$work/text" --split "$end"
    near "$model: perplexity of documents" "${1:-}" "$ppl" 0.0001
    near "$model: bits per byte" "${2:-}" "$bpb" 0.0001
    near "$model: tokens" "${3:-}" "$tokens" 0
    near "$model: bytes" "${4:-}" "$bytes" 0
    near "$model: documents" "${5:-}" "$parts" 0
    # shellcheck disable=SC2046
    set -- $("$on_driver" "$driver" "$expect" "$models/$model" "$work/text" "" 48)
    echo "$model: $*"
    perplexity -m "$models/$model" -f "$work/text" -c 48
    near "$model: perplexity of chunks" "${1:-}" "$ppl" 0.0001
    near "$model: its error" "${2:-}" "$error" 0.0001
    near "$model: tokens of chunks" "${3:-}" "$tokens" 0
    near "$model: chunks" "${4:-}" "$parts" 0
done
# The file type and the batch size change nothing, to the last bit: the same codes, exact kernels.
perplexity -m "$models/stories-b158.gguf" -f "$work/text" -c 48 -v --exact
want=$(sed -n 's/^nats = //p' "$work/out")
rows='i2_s:256 tq2_0:256 tq1_0:256 i2_s:64 tq2_0:7'
[ "$driver" != system ] || rows=tq1_0:7
for row in $rows; do
    set -- "${row%:*}" "${row#*:}"
    [ -e "$work/$1.gguf" ] || "$ternvk" convert "$models/stories-b158.gguf" "$work/$1.gguf" --type "$1" 2>"$work/err" ||
        { failed=$((failed + 1)); echo "FAIL: convert to $1"; cat "$work/err"; }
    perplexity -m "$work/$1.gguf" -f "$work/text" -c 48 -v --exact -b "$2"
    found=$(sed -n 's/^nats = //p' "$work/out")
    if [ -z "$want" ] || [ "$found" != "$want" ]; then
        failed=$((failed + 1))
        echo "FAIL: $1, steps of $2: nats $want expected, '$found' found"
    fi
done
perplexity -m "$models/stories-b158.gguf" -f "$work/text" -c 48 --chunks 1
near "--chunks" 1 "$parts" 0
rm -rf "$work"
[ $failed = 0 ]
