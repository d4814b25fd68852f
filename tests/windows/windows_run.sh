#!/bin/sh
# ternvk.exe under Wine: what it prints and writes is to the byte what the program of this machine does,
# with paths and text beyond ASCII. Where there is Xvfb too (Wine's Vulkan wants a display), the two
# bundled models' texts on this machine's driver.
#
#   windows_run.sh EXE TERNVK SOURCE WORK
set -u
exe=$1 ternvk=$2 source=$3 work=$4
models=$source/models

wine=
for place in wine64 /usr/lib/wine/wine64 wine; do
    [ -n "$wine" ] || wine=$(command -v $place)
done
skip() {
    echo "SKIPPED: $*: nothing is run for Windows"
    exit 77
}
[ -e "$exe" ] || skip "ternvk.exe was not built"
[ -n "$wine" ] || skip "no wine64"

rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
export WINEPREFIX="$work/prefix" WINEDEBUG=-all LC_ALL=C.UTF-8
display=
clean_up() {
    WINEPREFIX="$work/prefix" /usr/lib/wine/wineserver -k 2>/dev/null || true
    [ -z "$display" ] || kill "$display"
}
trap clean_up EXIT
failed=0
complain() {
    echo "$*"
    failed=1
}
windows() { timeout 120 "$wine" "$exe" "$@"; }

# same STATUS ARGS...: both programs, their output and the first line of what they say.
same() {
    status=$1
    shift
    windows "$@" >w.out 2>w.err </dev/null
    found=$?
    "$ternvk" "$@" >n.out 2>n.err </dev/null
    [ $found = "$status" ] || complain "$*: exit status $status expected, $found found: $(head -n 3 w.err)"
    cmp w.out n.out || complain "$*: another output than here"
    cmp w.err n.err || complain "$*: other messages than here: $(head -n 3 w.err)"
}

# Before anything of Wine runs: what its first process finds is what all get.
if command -v Xvfb >/dev/null; then
    Xvfb -displayfd 3 -screen 0 640x480x24 3>display 2>/dev/null &
    display=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s display ] || sleep 0.5; done
    DISPLAY=:$(cat display)
    export DISPLAY
fi
windows --version >/dev/null 2>&1 || skip "Wine does not start here"
model='mödell 模.gguf'
cp "$models/stories-b158.gguf" "$model" || exit 1
printf 'Once upon a time\nZoë saw 日本 🙂\r\n' >text.txt

same 0 --version
same 0 tokenize -m "$model" -p 'Zoë saw 日本 🙂 and “left”'
same 0 tokenize -m "$model" -f text.txt
same 1 inspect nothing-ß.gguf
same 1 tokenize -m text.txt -p x
same 2 convert "$model"
same 2 nonsense
# what is known of the device differs
windows inspect "$model" 2>&1 | grep -v '^  device' >w.out
"$ternvk" inspect "$model" 2>&1 | grep -v '^  device' >n.out
cmp w.out n.out || complain "inspect: another output than here"

for type in f32 tq1_0 i2_s; do
    windows convert "$model" "dort ß $type.gguf" --type $type 2>w.err || complain "convert: $(head -n 3 w.err)"
    "$ternvk" convert "$model" "hier $type.gguf" --type $type 2>n.err || exit 1
    cmp "dort ß $type.gguf" "hier $type.gguf" || complain "convert --type $type: another file than here"
done
same 1 convert "$model" 'dort ß f32.gguf'
windows convert "dort ß f32.gguf" "dort ß i2_s.gguf" --type i2_s --overwrite 2>w.err ||
    complain "convert --overwrite: $(head -n 3 w.err)"
cmp 'dort ß i2_s.gguf' 'hier i2_s.gguf' || complain "convert --overwrite: another file than here"
# The input is mapped while it would be replaced, which Windows does not do: one line, nothing lost.
cp 'hier f32.gguf' self.gguf
windows convert self.gguf self.gguf --type i2_s --overwrite >w.out 2>w.err &&
    complain "convert onto its input: a failure expected"
grep -q 'Windows replaces no file that is open' w.err || complain "convert onto its input: $(cat w.err)"
cmp 'hier f32.gguf' self.gguf || complain "convert onto its input: the input changed"
# 300 characters and more
long=$(printf '%0100d/%0100d/%0100d' 1 2 3)
mkdir -p "$long"
windows convert "$model" "$long/x.gguf" 2>w.err || complain "a long path: $(head -n 3 w.err)"
"$ternvk" convert "$model" here.gguf 2>n.err || exit 1
cmp "$long/x.gguf" here.gguf || complain "a long path: another file than here"
[ -z "$(ls | grep '\.part$')" ] || complain "left behind: $(ls | grep '\.part$')"

if [ -n "$display" ]; then
    for name in a48 b158; do
        windows run -m "$models/stories-$name.gguf" -n 200 --temp 0 --no-tune 'Once upon a time' \
            >w.out 2>w.err || complain "run: $(grep ^ternvk: w.err)"
        "$source/tests/support/on-driver.sh" system "$ternvk" run -m "$models/stories-$name.gguf" \
            -n 200 --temp 0 --no-tune 'Once upon a time' >n.out 2>n.err || exit 1
        cmp w.out n.out || complain "stories-$name: another text than here"
    done
    [ -n "$(find prefix -path '*Local/ternvk/programs-*.bin')" ] ||
        complain "compiled kernels expected under %LOCALAPPDATA%\\ternvk"
elif [ $failed = 0 ]; then
    echo "SKIPPED: no Xvfb: Wine has no Vulkan here, and no text was written; all else is right"
    exit 77
fi
exit $failed
