#!/bin/sh
# android/adb.sh against an adb that is a script: which device, what is pushed, what is run.
#
#   test_adb.sh SCRIPT WORK
set -eu
script=$1 work=$2
failed=0
note() { echo "FAIL: $*"; failed=$((failed + 1)); }
rm -rf "$work"
mkdir -p "$work/bin" "$work/device" "$work/none"
printf 'program' > "$work/ternvk"
printf 'model' > "$work/it's a model.gguf"

# Its devices are the lines of $work/devices; its files lie in $work/device; what it runs is a list of
# arguments, one a line; commands that begin with what $work/fails holds fail.
cat > "$work/bin/adb" <<A
#!/bin/sh
echo "\$*" >> "$work/calls"
[ "\$1" != devices ] || { printf '* daemon started successfully\nList of devices attached\n'; cat "$work/devices"; printf '\n'; exit 0; }
[ "\$1" = -s ] || exit 9
shift 2
verb=\$1
shift
map() { printf '%s' "\$1" | sed "s,/data/local/tmp/ternvk,$work/device,g"; }
case \$verb in
    push) cp "\$1" "\$(map "\$2")" ;;
    shell)
        case \$* in
            "\$(cat "$work/fails")"*) exit 1 ;;
            "getprop ro.product.cpu.abi") printf '%s\r\n' "\$(cat "$work/abi")" ;;
            "getprop ro.build.version.sdk") printf '%s\r\n' "\$(cat "$work/level")" ;;
            *) sh -c "\$(map "\$*")" ;;
        esac ;;
    *) exit 9 ;;
esac
A
cat > "$work/ternvk" <<'A'
#!/bin/sh
for arg; do echo "arg:$arg"; done
[ "${1:-}" != fails ] || exit 3
A
chmod +x "$work/bin/adb"
echo nothing > "$work/fails"
echo arm64-v8a > "$work/abi"
echo 33 > "$work/level"
unset ANDROID_SERIAL
path=$PATH

# refuses STATUS PATTERN ARGS...
refuses() {
    want=$1 pattern=$2
    shift 2
    status=0
    "$script" "$@" > "$work/out" 2>&1 || status=$?
    [ $status = "$want" ] || note "$*: exit $want expected, $status found"
    grep -Eq -- "$pattern" "$work/out" || note "$*: '$pattern' expected, found: $(cat "$work/out")"
}

PATH=$work/bin:$path
printf '' > "$work/devices"
refuses 2 "PROGRAM"
refuses 2 "PROGRAM" --help
refuses 2 "PROGRAM" -s
refuses 1 "no such file" "$work/nothing"
refuses 1 "no such file" -m "$work/nothing" "$work/ternvk"
refuses 1 "no device" "$work/ternvk"
printf 'AB12\tunauthorized\n' > "$work/devices"
refuses 1 "AB12: unauthorized.*screen" "$work/ternvk"
printf 'AB12\toffline\n' > "$work/devices"
refuses 1 "'device' expected, 'offline' found" "$work/ternvk"
printf 'AB12\tdevice\nCD34\tdevice\n' > "$work/devices"
refuses 1 "several devices.*AB12 CD34" "$work/ternvk"
refuses 1 "XY: no such device.*AB12 CD34" -s XY "$work/ternvk"
echo x86_64 > "$work/abi"
refuses 1 "arm64-v8a expected, x86_64 found" -s CD34 "$work/ternvk"
echo arm64-v8a > "$work/abi"
echo 28 > "$work/level"
refuses 1 "level 28 found" -s CD34 "$work/ternvk"
echo 33 > "$work/level"
# without adb: only what the script itself needs
for tool in sh sed grep md5sum basename tr printf; do ln -sf "$(command -v $tool)" "$work/none/$tool"; done
PATH=$work/none
refuses 1 "adb is not there" "$work/ternvk"
PATH=$path
rm "$work/none/md5sum"
PATH=$work/none
refuses 1 "md5sum is not there" "$work/ternvk"
PATH=$work/bin:$path

# accepts ARGS...: exit 0
accepts() {
    "$script" "$@" > "$work/out" 2> "$work/err" || note "$*: exit 0 expected: $(cat "$work/err")"
}
: > "$work/calls"
accepts -s CD34 -m "$work/it's a model.gguf" "$work/ternvk" run -p "it's \$HOME
two lines"
printf "arg:run\narg:-p\narg:it's \$HOME\ntwo lines\narg:-m\narg:$work/device/it's a model.gguf\n" > "$work/want"
cmp "$work/want" "$work/out" || note "arguments arrive as they are: $(cat "$work/out")"
grep -q -- "-s AB12" "$work/calls" && note "the other device is left alone"
[ "$(grep -c push "$work/calls")" = 2 ] || note "program and model are pushed"
cmp -s "$work/ternvk" "$work/device/ternvk" || note "the program is on the device"

: > "$work/calls"
printf 'AB12\tdevice\n' > "$work/devices"
mkdir -p "$work/package/bin"
cp "$work/ternvk" "$work/package/bin"
accepts "$work/package" devices
grep -q push "$work/calls" && note "what is there is not pushed again"
echo '# another' >> "$work/package/bin/ternvk"
: > "$work/calls"
accepts "$work/package" devices
[ "$(grep -c push "$work/calls")" = 1 ] || note "what changed is pushed"
refuses 3 "arg:fails" "$work/ternvk" fails
rm "$work/device/ternvk"
for refused in "mkdir:/data/local/tmp/ternvk cannot be made" "mv:'/data/local/tmp/ternvk/ternvk' cannot be written" \
    "cd /data/local/tmp/ternvk && chmod:/data/local/tmp/ternvk/ternvk cannot be made executable"; do
    echo "${refused%%:*}" > "$work/fails"
    refuses 1 "^adb.sh: AB12: ${refused#*:}" "$work/ternvk"
done

[ $failed = 0 ] && echo "adb.sh: all as expected"
[ $failed = 0 ]
