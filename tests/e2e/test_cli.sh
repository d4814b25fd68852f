#!/bin/sh
# The program as a person meets it: what it prints, where, and its exit code.
#
#   test_cli.sh TERNVK MODEL ON_DRIVER WORK
#
# Every refusal is one line on stderr that begins with "ternvk: ". WORK: an empty folder for files.
# What takes time is a start of MODEL, and measuring at it: what needs neither its text nor its numbers
# is asked of a model of one layer, what does not ask for measuring has --no-tune, and one start serves
# several assertions.
set -u
ternvk=$1 model=$2 on_driver=$3 work=$4
corpus=$(dirname "$0")/../fuzz/corpus/gguf
tiny=$corpus/bitnet-bpe # words of the letters a to h
rm -rf "$work"
mkdir -p "$work"
failed=0 ran=0
# records of this run only; the driver's own cache stays where it is
export MESA_SHADER_CACHE_DIR="${MESA_SHADER_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}}"
export XDG_CACHE_HOME="$work/cache"

note() {
    failed=$((failed + 1))
    echo "FAIL: $1"
    sed 's/^/    /' "$work/err" | head -5
}

run() {
    "$on_driver" system "$ternvk" "$@" >"$work/out" 2>"$work/err"
    code=$?
    ran=$((ran + 1))
}

# refuses CODE WORDS ARGS...: the exit code, and WORDS (an extended regular expression) in the one line
refuses() {
    want=$1 words=$2
    shift 2
    run "$@"
    [ $code = "$want" ] || note "ternvk $*: exit code $want expected, $code found"
    [ "$(grep -c '^ternvk: ' "$work/err")" = 1 ] || note "ternvk $*: one line of error expected"
    grep '^ternvk: ' "$work/err" | grep -Eq -e "$words" || note "ternvk $*: no '$words' in the error"
}

accepts() {
    run "$@"
    [ $code = 0 ] || note "ternvk $*: exit code 0 expected, $code found"
}

run devices
if [ $code != 0 ]; then
    echo "SKIPPED: the system's CPU driver is not on this machine"
    exit 77
fi

# ---- usage: exit 2 ----
refuses 2 "unknown command 'frobnicate'" frobnicate
refuses 2 "unknown option '--frobnicate'" run --frobnicate
refuses 2 "'abc' found" run -m "$model" -n abc hello
refuses 2 "'-5' found" run -m "$model" -c -5 hello
refuses 2 "." run -m
refuses 2 "." run -m "$model" --temp nan hello
refuses 2 "." convert only-one-path
refuses 2 "." logits -m "$model" --tokens 1,x -o "$work/a.npy"
refuses 2 "." run -m "$model" -ctk f99 hello
refuses 2 "auto, on or off expected, 'maybe' found" run -m "$model" --sparse maybe hello
refuses 2 "none or lookup expected, 'model' found" run -m "$model" --draft model hello
refuses 2 "9 over 8 found" chat -m "$model" --draft lookup --draft-max 8 --draft-min 9 -p hello
refuses 2 "f32, q8 or q4 expected, 'q3' found" run -m "$model" -ctq q3 hello
refuses 2 "'1,x' found" bench -m "$model" -p 1,x
refuses 2 "from 1 to 1024 .*'8,0' found" bench -m "$model" -np 8,0
refuses 2 "'yaml' found" bench -m "$model" -o yaml
refuses 2 "'0' found" bench -m "$model" -r 0
refuses 2 "from 1 to 600 expected, '0' found" bench -m "$model" --steady --steady-window 0
refuses 2 "both 0" bench -m "$model" -p 0 -n 0
refuses 2 "tg128 @ d64 takes 193 positions, -c gives 100" bench -m "$model" -p 8 -d 64 -c 100
refuses 2 "not both" bench -m "$model" --shape 25m
refuses 2 "--shape NAME expected" bench -m "$model" --layers 2
refuses 2 "2b4t, 700m.*'bitnet-9b' found" bench --shape bitnet-9b
refuses 2 "'q5' found" bench --shape 25m --embedding-type q5
refuses 2 "3200 wide" bench --shape bitnet-3b --embedding-type q6_k
refuses 2 "25m has 6, 7 found" bench --shape 25m --layers 7
refuses 2 "usage: ternvk perplexity" perplexity -m "$model"
refuses 2 "not empty" perplexity -m "$model" -f /dev/null --split ""
refuses 2 "-m FILE" chat

# ---- files: exit 1 ----
refuses 1 "No such file" run -m "$work/nothing.gguf" hello
: >"$work/empty.gguf"
refuses 1 "empty" inspect "$work/empty.gguf"
for bytes in 3 4 23 24 100 5000 100000 1000000 6000000 6692319; do
    head -c $bytes "$model" >"$work/cut.gguf"
    refuses 1 "cut.gguf" inspect "$work/cut.gguf"
done
refuses 1 "cut.gguf" run -m "$work/cut.gguf" hello
printf 'GGML%s' "$(head -c 2000 /dev/zero | tr '\0' 'x')" >"$work/magic.gguf"
refuses 1 "magic|GGUF" inspect "$work/magic.gguf"

# patch FILE OFFSET BYTES(printf)
patch() {
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
cp "$model" "$work/bad.gguf"
patch "$work/bad.gguf" 4 '\377\377\377\177' # version
refuses 1 "version" inspect "$work/bad.gguf"
cp "$model" "$work/bad.gguf"
patch "$work/bad.gguf" 8 '\377\377\377\377\377\377\377\177' # tensor count: oversized
refuses 1 "tensor" inspect "$work/bad.gguf"
cp "$model" "$work/bad.gguf"
patch "$work/bad.gguf" 16 '\377\377\377\377\377\377\377\177' # metadata count
refuses 1 "metadata" inspect "$work/bad.gguf"
# another architecture: the value of general.architecture is 6 letters, "bitnet"
at=$(grep -abo bitnet "$model" | head -1 | cut -d: -f1)
cp "$model" "$work/bad.gguf"
patch "$work/bad.gguf" "$at" 'kitnet'
refuses 1 "architecture 'kitnet'" run -m "$work/bad.gguf" hello
# bits of the header flipped here and there: never a crash (codes above 1 would be signals or usage)
for at in 0 5 9 17 30 40 60 90 150 300 700 1500 4000 60000 130000; do
    cp "$model" "$work/bad.gguf"
    patch "$work/bad.gguf" $at '\277'
    run inspect "$work/bad.gguf"
    [ $code -le 1 ] || note "a flipped byte at $at: exit code $code"
done

# ---- limits: exit 1 ----
long=$(i=0; while [ $i -lt 600 ]; do printf 'word '; i=$((i + 1)); done)
refuses 1 "tokens do not fit" run --no-tune -m "$tiny" "$long"
[ ! -s "$work/out" ] || note "a prompt that does not fit is echoed before it is refused"
refuses 1 "message's [0-9]+ tokens do not fit: of 64 positions" chat --no-tune -m "$tiny" --chat-template none -c 64 -p "$long"
refuses 1 "llama3, chatml, .*'vicuna' found" chat -m "$model" --chat-template vicuna
refuses 1 "MiB|binds|context" run -m "$model" -c 1000000 hello
refuses 1 "no-such-device" run -m "$model" --device no-such-device hello
printf 'max_invocations 64\n' >"$work/poor"
refuses 1 "invocations" run -m "$model" --clamps "$work/poor" hello
printf 'max_frogs 64\n' >"$work/poor"
refuses 1 "max_frogs" run -m "$model" --clamps "$work/poor" hello
printf 'device_bytes 130000000\n' >"$work/poor"
refuses 1 "available on the device: a context of [0-9]+ fits .*-c" run --no-tune -m "$model" --clamps "$work/poor" -c 20000 hello
fits=$(sed -n 's/.*context of \([0-9]*\) fits.*/\1/p' "$work/err")
refuses 1 "a context of $fits fits" run --no-tune -m "$model" --clamps "$work/poor" -c $((fits + 1)) hello
accepts run --no-tune -m "$model" --clamps "$work/poor" -c "$fits" -n 2 hello
rm -rf "$XDG_CACHE_HOME" # of that device
printf 'refuse_after_allocations 0\n' >"$work/poor"
refuses 1 "bytes needed, the driver refused; [0-9]+ seemed available .*-c" run --no-tune -m "$model" --clamps "$work/poor" hello
printf 'refuse_after_programs 2\n' >"$work/poor"
refuses 1 "program '.*VK_ERROR_OUT_OF_DEVICE_MEMORY" run --no-tune -m "$model" --clamps "$work/poor" hello
printf 'A cat sat.\n' >"$work/short.txt"
refuses 1 "No such file" bench -m "$work/nothing.gguf"
refuses 1 "MiB|binds|context" bench -m "$model" -p 1000000 -n 0
refuses 1 "nothing.txt cannot be read" perplexity -m "$model" -f "$work/nothing.txt"
refuses 1 "empty.gguf is empty" perplexity -m "$model" -f "$work/empty.gguf"
refuses 1 "chunk of 512 tokens is needed, the text has [0-9]+ " perplexity -m "$model" -f "$work/short.txt"
refuses 2 "at least 4 tokens" perplexity -m "$model" -f "$work/short.txt" -c 3
printf ' |  |\n' >"$work/blank.txt"
refuses 1 "no document" perplexity -m "$model" -f "$work/blank.txt" --split '|'

# ---- no driver, no loader ----
VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent "$ternvk" devices >"$work/out" 2>"$work/err"
code=$?
[ $code = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] && grep -q "no Vulkan driver" "$work/err" ||
    note "no driver: exit code 1 and one line expected, $code found"
mkdir "$work/broken"
echo "not a library" >"$work/broken/libvulkan.so.1"
echo "not a library" >"$work/broken/libvulkan.so"
LD_LIBRARY_PATH="$work/broken" "$ternvk" run -m "$model" hello >"$work/out" 2>"$work/err"
code=$?
[ $code = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] && grep -q "no Vulkan loader" "$work/err" ||
    note "no loader: exit code 1 and one line expected, $code found"
# what needs no device works without one
LD_LIBRARY_PATH="$work/broken" "$ternvk" tokenize -m "$model" -p "Once upon" >"$work/out" 2>"$work/err" ||
    note "tokenize needs no device"
LD_LIBRARY_PATH="$work/broken" "$ternvk" inspect "$model" >"$work/out" 2>"$work/err" ||
    note "inspect needs no device"
grep -q "relu2" "$work/out" || note "inspect names the activation"
grep -q "none here" "$work/out" || note "inspect says that there is no device"
# 6 layers, 4 KV heads of 64: 3,072 values and 48 scales a position; q3 has 1 % more for position 0
for row in "f32 12288" "f16 6144" "q8 3168" "q4 1632" "q3 1260"; do
    grep -q " $row bytes a position" "$work/out" || note "inspect says what a position takes: $row"
done

# ---- what works ----
accepts --version
grep -Eq '^ternvk [0-9]' "$work/out" || note "--version prints the version"
accepts -h
accepts run -h
accepts run -m "$model" -n 8 --temp 0 "Once upon a time"
grep -q '^Once upon a time' "$work/out" || note "run echoes the prompt"
cp "$work/out" "$work/greedy"
ls "$work"/cache/ternvk/tuning-*.json >/dev/null 2>&1 || note "run keeps what it measured"
ls "$work"/cache/ternvk/programs-*.bin >/dev/null 2>&1 || note "run keeps what was compiled"
validate=
[ "${TERNVK_VALIDATE:-1}" = 0 ] || validate=--validate
printf 'Once upon a time' >"$work/prompt.txt"
# shellcheck disable=SC2086
accepts run --no-tune $validate -m "$model" -n 8 --temp 0 -f "$work/prompt.txt"
cmp -s "$work/out" "$work/greedy" || note "-f reads the prompt; validation changes nothing"
accepts run --no-tune -m "$model" -n 8 --temp 0 --no-display-prompt --stats -p "Once upon a time"
{ printf 'Once upon a time'; cat "$work/out"; } | cmp -s - "$work/greedy" ||
    note "-p and a plain argument mean the same, --no-display-prompt hides it alone, --stats changes no text"
# the last of 8 drawn tokens is not fed
grep -Eq '^\| position 12 \| 12 \|( [0-9.]+ \|){7} [0-9.]+ M of 16.52 M \| [0-9.]+ MiB \| 78.0 KiB \| 6.00 KiB \|$' "$work/err" ||
    note "run --stats prints a table"
accepts run --no-tune -m "$model" -n 40 --temp 0 --ignore-eos "Ha ha ha ha ha ha ha ha"
cp "$work/out" "$work/plain"
accepts run --no-tune -m "$model" -n 40 --temp 0 --ignore-eos --draft lookup "Ha ha ha ha ha ha ha ha"
cmp -s "$work/out" "$work/plain" || note "run --draft lookup writes the same text"
grep -Eq 'drafts: [1-9][0-9]* of [1-9][0-9]* tokens accepted in [1-9]' "$work/err" || note "run --draft lookup says what was accepted"
for q in q8 q4 q4_0; do
    accepts run --no-tune -m "$tiny" -n 8 --temp 0 -ctk q3 -ctv q3 -ctq $q "a bad cafe"
    grep -q "KV cache k q3, v q3 | [1-9][0-9]* bytes a position .* queries ${q%_0}\$" "$work/err" || note "run says that it uses -ctq $q"
done
# zeros: skipped or not, one text; the tuning record is made, read, ignored when it is broken
for sparse in on off auto; do
    case $sparse in
        on) more=--no-tune words="down: skipped, .* asked for" ;;
        off) more="--no-tune --clamps /dev/null" words="down: not skipped, .* switched off" ;;
        auto) more= words="down: .*skipped, .* measured" ;;
    esac
    # shellcheck disable=SC2086
    accepts run $more -v -m "$model" -n 8 --temp 0 --sparse $sparse "Once upon a time"
    cmp -s "$work/out" "$work/greedy" || note "--sparse $sparse changes nothing"
    grep -Eq "zeros of $words" "$work/err" || note "-v says why zeros are skipped or not: $sparse"
done
for record in "$work"/cache/ternvk/tuning-*.json; do
    programs=$(ls "$work"/cache/ternvk/programs-*.bin)
    for file in "$record" "$programs"; do
        head -c 100 "$file" >"$file.cut" && mv "$file.cut" "$file"
    done
    accepts run -v -m "$model" -n 8 --temp 0 "Once upon a time"
    cmp -s "$work/out" "$work/greedy" || note "a broken record changes nothing"
    [ "$(grep -c "tuning record" "$work/err")" = 1 ] || note "a broken record: one line at -v"
    [ "$(wc -c <"$record")" -gt 100 ] || note "a broken record is made anew"
    [ "$(grep -c "compiled kernels" "$work/err")" = 1 ] || note "cut programs: one line at -v"
    [ "$(wc -c <"$programs")" -gt 100 ] || note "cut programs are kept anew"
    grep -q "^start-up: file .* | first token after " "$work/err" || note "-v: start-up"
    printf 'x' >"$record"
    accepts run -v -m "$model" -n 8 --temp 0 --no-tune "Once upon a time"
    [ "$(wc -c <"$record")" = 1 ] && ! grep -q "tuning record" "$work/err" ||
        note "--no-tune neither reads nor writes"
    grep -q "not measured" "$work/err" || note "--no-tune: not measured"
    truncate -s 67108865 "$programs"
    accepts run -v -m "$model" -n 8 --temp 0 --no-tune "Once upon a time"
    grep -q "compiled kernels .*: more than 64 MiB: begun anew\$" "$work/err" || note "too many programs: one line at -v"
    [ "$(wc -c <"$programs")" -lt 67108864 ] || note "too many programs are begun anew"
    rm "$record" "$programs"
done
[ "$(ls "$work/cache/ternvk")" = "" ] || note "nothing else is left in the cache folder"
# also: a cache folder that cannot be made is no failure
for act in int8 a4.8 a4.8-fp4 none; do
    XDG_CACHE_HOME=/proc/nothing accepts run --no-tune -m "$tiny" -n 8 --temp 0 --act $act "a bad cafe"
    grep -q "activations $act\$" "$work/err" || note "run says that it uses --act $act"
done
refuses 2 "a4.8-fp4" run -m "$model" --act int4 hello
# chat from a script: answers only on stdout, one a line; commands, several lines, a full context
cat >"$work/script" <<'S'
Once upon a time
/regen
/undo
Once upon a \
time
"""Once
upon
"""
One day the dog
Then the cat
/stats
S
printf '/save %s\n/quit\nnever asked\n' "$work/talk.txt" >>"$work/script"
accepts chat --no-tune -m "$model" -c 64 -n 12 --temp 0 <"$work/script"
[ "$(grep -c . "$work/out")" -ge 6 ] && ! grep -q '^>' "$work/out" || note "chat: an answer for each message"
head -1 "$work/out" >"$work/first"
[ "$(sed -n 1p "$work/out")" = "$(sed -n 2p "$work/out")" ] || note "chat /regen: greedy answers are alike"
grep -q "chat template none" "$work/err" || note "chat says which template it uses"
grep -q "the context of 64 positions is full: [1-9]" "$work/err" || note "chat says that turns were dropped"
grep -Eq "^load .* of 64 positions .* 6 answers" "$work/err" || note "chat /stats counts"
[ "$(grep -c '^User: ' "$work/talk.txt")" = 4 ] && ! grep -q "never" "$work/talk.txt" || note "chat /save writes the turns"
# turns dropped, the others taken back: the one that is left is answered, and the answer ends
printf '%s\n' "one little girl went to the park" "and then two boys came along" "third message" /undo /undo \
    /regen >"$work/script"
accepts chat --no-tune -m "$model" -c 40 --temp 0 <"$work/script"
[ "$(grep -c . "$work/out")" -lt 20 ] && grep -q "4 answers" "$work/err" || note "chat /undo, /regen after dropped turns"
printf ' \n\t\n/save %s\n' "$work/no/folder" >"$work/script"
refuses 1 "no/folder: No such file" chat --no-tune -m "$tiny" --chat-template none <"$work/script"
! grep -q . "$work/out" || note "chat: lines of white space are no messages"
if [ -e /dev/full ]; then
    "$on_driver" system "$ternvk" tokenize -m "$model" -p "Once" >/dev/full 2>"$work/err" && note "a full disk is a failure"
    grep -q "^ternvk: not all of the output" "$work/err" || note "a full disk is said"
fi
accepts chat --no-tune -m "$model" -n 12 --temp 0 -p "Once upon a time"
head -1 "$work/out" | cmp -s - "$work/first" || note "chat -p answers as the script's first message"

# chat on a terminal: a typing error taken back, an earlier line called back
wait_for() { # FILE TEXT
    tries=0
    until grep -q -- "$2" "$1" 2>/dev/null || [ $tries = 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    [ $tries -lt 300 ] || note "chat on a terminal: '$2' expected"
}
if command -v script >/dev/null && grep -q editrc "$ternvk"; then
    mkfifo "$work/keys"
    TERM=xterm script -qfec "'$ternvk' chat --no-tune -m '$model' -n 4 --temp 0" "$work/tty" <"$work/keys" >/dev/null 2>&1 &
    exec 3<>"$work/keys" # both ways: neither the opening nor a dead reader stops the test
    wait_for "$work/tty" '^> '
    printf 'Hellp\177o\n/save %s\n' "$work/one.txt" >&3
    wait_for "$work/one.txt" '^User: Hello$'
    printf '\033[A\033[A\n' >&3
    printf '/save %s\n/exit\n' "$work/two.txt" >&3
    wait_for "$work/tty" '2 answers'
    exec 3>&-
    wait
    [ "$(grep -c '^User: Hello$' "$work/two.txt")" = 2 ] || note "chat on a terminal: an earlier line is called back"
else
    echo "SKIPPED: chat on a terminal (script, libedit)"
fi
# a device that is lost: the same output; again and again, or in a benchmark: a line
# survives N ARGS...: each device is lost behind N submissions; input from $work/script. Of a seed it
# is one text, too.
survives() {
    echo "lose_after_submissions $1" >"$work/loses"
    shift
    accepts "$@" <"$work/script"
    cp "$work/out" "$work/whole"
    accepts "$@" --clamps "$work/loses" <"$work/script"
    cmp -s "$work/out" "$work/whole" || note "ternvk $*: the same output on a device that is lost"
    grep -q "^ternvk: warning: device '.*' was lost (vkQueueSubmit: VK_ERROR_DEVICE_LOST): opening it again, 1 of 3" \
        "$work/err" || note "ternvk $*: says that the device was lost"
}
printf 'Once upon a time there was a dog\nThen the cat came\n' >"$work/script"
survives 60 run --no-tune -m "$model" -n 40 -s 7 "Once upon a time"
survives 60 chat --no-tune -m "$model" -n 15 -s 7
i=0
while [ $i -lt 24 ]; do printf 'a bad cafe, a bed, a cab and a face had faded. '; i=$((i + 1)); done >"$work/cafe.txt"
survives 70 perplexity -m "$tiny" -f "$work/cafe.txt" -c 16 -b 8
echo 'lose_after_submissions 0' >"$work/loses"
run run --no-tune -m "$tiny" --clamps "$work/loses" hello
[ $code = 1 ] && [ "$(grep -c '^ternvk: warning: ' "$work/err")" = 3 ] && [ "$(grep -c '^ternvk: ' "$work/err")" = 4 ] &&
    grep -q "^ternvk: device .*VK_ERROR_DEVICE_LOST), opened again 3 times: given up$" "$work/err" || note "a device that is always lost is given up"
echo 'lose_after_waits 100' >"$work/loses"
refuses 1 "was lost .vkWaitForFences" bench --no-tune -m "$tiny" --clamps "$work/loses" -p 0 -n 128 -r 1
accepts logits -m "$tiny" --tokens 1,5,9 -o "$work/a.npy"
head -c 6 "$work/a.npy" | grep -q NUMPY || note "logits writes NumPy's format"
[ "$(wc -c <"$work/a.npy")" -gt $((3 * 20 * 4)) ] || note "logits of three rows of 20"
refuses 1 "token 20 at index 1; the vocabulary has 20" logits -m "$tiny" --tokens 1,20 -o "$work/b.npy"
[ ! -e "$work/b.npy" ] || note "a refused call leaves no file"
printf '\377\376 a cat \200 sat on\0the mat' >"$work/bytes.txt"
accepts perplexity -m "$model" -f "$work/bytes.txt" -c 4
grep -Eq '^PPL = [0-9.]+ \+/- [0-9.]+$' "$work/out" || note "perplexity of any bytes is a number"
printf 'a cab|fed a bad cafe|' >"$work/parts.txt"
accepts perplexity -m "$tiny" -f "$work/parts.txt" --split '|' -ctk f32 -ctv f32 -c 6
grep -Eq '^bits per byte = [0-9.]+$' "$work/out" || note "perplexity --split prints bits per byte"
accepts bench --no-tune -m "$tiny" -p 20,8 -n 4 -d 0,30 -np 1,3 -r 2
[ "$(grep -Ec '\| +(pp20|pp8|tg4|tg4 x3)( @ d30)? \| +[0-9.]+ ± [0-9.]+ \| +[0-9.]+ \| +[0-9.]+\.\.[0-9.]+ \| +[0-9.]+ \| +[0-9]+ % \|$' "$work/out")" = 8 ] ||
    note "bench prints a row for each test"
[ "$(awk '{ print gsub(/\|/, "|") }' "$work/out" | sort -u | wc -l)" = 1 ] || note "bench's rows have as many columns as the head"
accepts bench --no-tune -m "$model" -p 20 -n 4 -r 1 --stats
[ "$(grep -Ec '^\| (pp20 \| 20|tg4 \| 4) \|( [0-9.]+ \|){7} [0-9.]+ M of 16.52 M \| [0-9.]+ MiB \|' "$work/out")" = 2 ] ||
    note "bench --stats prints zeros of each test"
accepts bench --no-tune -m "$model" -p 0 -n 4 --steady --steady-limit 1 --stats --sparse off -o jsonl
grep -Eq '"zeros_down":[1-9][0-9.]*,"zeros_overall":[1-9].*"active_params":[0-9]{7}.*"weight_bytes_per_token":6[0-9]{6},' "$work/out" ||
    note "bench --stats -o jsonl has zeros, parameters and bytes"
grep -Eq '"steady":\{"reached":(true|false),"windows":[1-9][0-9]*,"seconds":1\.[0-9]*,"first_ts":[0-9.]*,"steady_ts":[0-9.]*,' "$work/out" ||
    note "bench --steady says what it waited for"
accepts bench --no-tune -m "$tiny" -p 8 -n 4 -r 3 -o json -ctk q4 -ctv q3 -ctq q4
for field in '"n_prompt":8,"n_gen":0,"n_depth":0' '"n_prompt":0,"n_gen":4,"n_depth":0' '"type_k":"q4","type_v":"q3"' '"type_q":"q4"' \
    '"build_commit":' '"driver":"' '"samples_ns":\[[0-9]*,[0-9]*,[0-9]*\]' '"avg_ts":[0-9.e]*,"stddev_ts"'; do
    grep -q "$field" "$work/out" || note "bench -o json has $field"
done
[ "$(head -1 "$work/out")" = "[" ] && [ "$(tail -1 "$work/out")" = "]" ] || note "bench -o json is a list"
accepts bench --no-tune --shape 25m --layers 1 --embedding-type q6_k -p 8 -n 0 -r 1 -o csv
[ "$(head -1 "$work/out" | tr ',' '\n' | grep -c .)" = 56 ] && [ "$(wc -l <"$work/out")" = 2 ] ||
    note "bench -o csv is a head and a row"
echo 'timestamps 0' >"$work/clamps"
refuses 1 "time stamps" bench --no-tune -m "$model" --profile --clamps "$work/clamps"
accepts bench --no-tune --shape llama-25m --layers 1 -p 0 -n 2 -r 1 -o jsonl --profile
grep -q '"model_type":"llama F16".*"act":"none"' "$work/out" || note "bench runs the FP16 twin of a shape"
grep -Eq '"profile":.*"step_ns":[0-9.e]+,.*"read_bytes":[1-9].*"kernel":"norm_gemv_f16.*"float_ops":[1-9]' "$work/out" ||
    note "bench --profile has kernels and the device's peaks"
accepts devices -o json
accepts inspect "$corpus/bitnet-25-scale"
grep -q "unusual: 2 tensors are not used, extra.a first" "$work/out" || note "inspect names what is not used"
accepts convert "$corpus/bitnet-25-scale" "$work/act.gguf"
accepts inspect "$work/act.gguf"
grep -q "bitnet-25.hidden_activation *string *silu" "$work/out" || note "convert writes the activation it found"
accepts inspect "$corpus/bitnet-f16-relu2"
grep -q "unusual: general.file_type says I2_S, blk.0.ffn_gate.weight is F16" "$work/out" ||
    note "inspect does not trust general.file_type"
accepts inspect
grep -q "stories" "$work/out" || note "inspect without a file shows the bundled model"
grep -q "chat template none" "$work/out" || note "inspect says which chat template is used"
accepts inspect -o json -c 100 -ctk q8 -ctv q8
grep -q '"fits": true' "$work/out" && grep -q '"context": 100' "$work/out" && grep -q '"kv_k": "q8"' "$work/out" ||
    note "inspect -o json says whether the model fits"
refuses 2 "text or json expected" inspect -o xml
accepts tokenize -m "$model" -p "Once upon a time"
accepts convert "$model" "$work/copy.gguf"
refuses 1 "there already" convert "$model" "$work/copy.gguf"
accepts run --no-tune -m "$work/copy.gguf" -n 8 --temp 0 "Once upon a time"
cmp -s "$work/out" "$work/greedy" || note "a converted file writes the same text"
refuses 1 "." convert "$work/cut.gguf" "$work/never.gguf"
[ -z "$(ls "$work" | grep never)" ] || note "a failed conversion leaves no file"

rm -rf "$work"
echo "$ran calls, $failed failures"
[ $failed = 0 ]
