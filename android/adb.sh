#!/bin/sh
# Push ternvk to an Android device and run it there, as anyone who may use adb can: no root, no
# application. What is on the device already is not pushed again.
#
#   adb.sh [-s SERIAL] [-m MODEL.gguf] PROGRAM [ARGS...]
#
#   PROGRAM   build/android-arm64/ternvk, or the folder that its package was unpacked into
#   -m        a model to push too; ARGS that want one get -m with its place on the device behind them
#   -s        the device, as `adb devices` names it (else ANDROID_SERIAL, else the only one there is)
#
#   adb.sh build/android-arm64/ternvk devices
#   adb.sh -m models/stories-b158.gguf build/android-arm64/ternvk bench --steady
#
# Exit status: that of ternvk; 1 with a line that says why it did not run; 2 for a call that is not
# understood.
set -eu
place=/data/local/tmp/ternvk # the one folder in which adb's user may execute files
usage() { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "adb.sh: $*" >&2; exit 1; }

serial=${ANDROID_SERIAL:-} model=
while :; do
    case ${1:-} in
        -s) serial=${2:-}; [ -n "$serial" ] || usage; shift 2 ;;
        -m) model=${2:-}; [ -n "$model" ] || usage; shift 2 ;;
        -*) usage ;;
        *) break ;;
    esac
done
[ $# -ge 1 ] || usage
program=$1
shift
[ ! -d "$program" ] || program=$program/bin/ternvk
[ -f "$program" ] || fail "$program: a program expected, no such file found"
[ -z "$model" ] || [ -f "$model" ] || fail "$model: a model expected, no such file found"
command -v md5sum >/dev/null || fail "md5sum is not there: it is one of the coreutils"
command -v adb >/dev/null || fail "adb is not there: Android's platform tools have it (Debian: package adb)"

# ---- which device -------------------------------------------------------------------------------

listed=$(adb devices) || fail "adb devices failed: is its server running?"
listed=$(printf '%s\n' "$listed" | sed '/^\*/d; /^List of devices/d; /^[[:space:]]*$/d' | tr '\t' ' ')
if [ -z "$serial" ]; then
    case $(printf '%s' "$listed" | grep -c .) in
        0) fail "no device: connect one and allow USB debugging in its developer options" ;;
        1) serial=${listed%% *} ;;
        *) fail "several devices, name one by -s:" $(printf '%s\n' "$listed" | sed 's/ .*//') ;;
    esac
fi
state=$(printf '%s\n' "$listed" | sed -n "s/^$serial  *//p" | sed 's/ .*//')
case $state in
    device) ;;
    '') fail "$serial: no such device; there are:" $(printf '%s\n' "$listed" | sed 's/ .*//') ;;
    unauthorized) fail "$serial: unauthorized: answer the question on the device's screen" ;;
    *) fail "$serial: state 'device' expected, '$state' found" ;;
esac
# The device's shell splits the line again.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }
on_device() { adb -s "$serial" shell "$@" </dev/null; }

abi=$(on_device getprop ro.product.cpu.abi | tr -d '\r')
[ "$abi" = arm64-v8a ] || fail "$serial: a device of arm64-v8a expected, $abi found"
level=$(on_device getprop ro.build.version.sdk | tr -d '\r')
[ "$level" -ge 29 ] 2>/dev/null || fail "$serial: Android 10 (API level 29) or later expected, level $level found"

# ---- push, run ----------------------------------------------------------------------------------

# push FILE: into the place, unless the same bytes are there. Beside it first: a cut push leaves what was.
push() {
    to=$(quoted "$place/$(basename "$1")")
    here=$(md5sum < "$1") || fail "$1 cannot be read"
    there=$(on_device "md5sum < $to" 2>/dev/null || true)
    [ "${here%% *}" != "${there%% *}" ] || return 0
    adb -s "$serial" push "$1" "$place/.part" >&2 || fail "$1 cannot be pushed to $serial"
    on_device "mv $place/.part $to" || fail "$serial: $to cannot be written"
}
on_device "mkdir -p $place" || fail "$serial: $place cannot be made"
push "$program"
run=$(quoted "./$(basename "$program")")
on_device "cd $place && chmod 755 $run" || fail "$serial: $place/$(basename "$program") cannot be made executable"
if [ -n "$model" ]; then
    push "$model"
    set -- "$@" -m "$place/$(basename "$model")"
fi

line="cd $place && HOME=$place TERNVK_MODELS=$place $run"
for arg; do line="$line $(quoted "$arg")"; done
exec adb -s "$serial" shell "$line"
