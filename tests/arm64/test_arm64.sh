#!/bin/sh
# The arm64 program, built by the preset, under qemu on arm64 lavapipe: the text that the native program
# writes, and kernels against the CPU reference.
#
#   test_arm64.sh SOURCE WORK TOOLCHAIN NATIVE-PROGRAM TOKENS OP...
#
# OP: an op for selftest, `once` for each variant of a kernel in one case, `all` for everything. Kernels are
# compiled under qemu too, which takes minutes.
# Exit 77 where compiler, emulator or drivers cannot be had.
set -eu
source=$1 work=$2 toolchain=$3 native=$4 tokens=$5
shift 5
skip() { echo "ARM64 SKIPPED: $*"; exit 77; }
fail() { echo "FAIL: $*"; exit 1; }
tools=$work/tools build=$work/build
mkdir -p "$work"
"$source/third_party/arm64.sh" "$tools" || skip "the tools cannot be had (reason above)"
(cd "$source" && cmake --preset arm64 -B "$build" -DTVK_ARM64="$tools" -DTVK_TOOLCHAIN="$toolchain") > "$work/log" 2>&1 ||
    { cat "$work/log"; fail "configuring"; }
cmake --build "$build" > "$work/log" 2>&1 || { tail -n 30 "$work/log"; fail "building"; }
(cd "$build" && cpack) > "$work/log" 2>&1 || { cat "$work/log"; fail "cpack"; }
tar -tzf "$build"/ternvk-*-Linux-aarch64.tar.gz > "$work/list"
for file in bin/ternvk lib/libtvk.a lib/libtvk_loader.a lib/libtvk_jansson.a lib/libtvk_pcre2.a \
    lib/cmake/ternvk/ternvkConfig.cmake include/ternvk/session.h; do
    grep -q "/$file\$" "$work/list" || fail "the archive has $file"
done

export TVK_TOOLCHAIN="$toolchain" TERNVK_MODELS="$source/models"
on_arm64() { "$source/tests/support/on-arm64.sh" "$tools" "$build/ternvk" "$@"; }
for model in b158 a48; do
    file=$source/models/stories-$model.gguf
    "$source/tests/support/on-driver.sh" lavapipe:128 "$native" run -m "$file" -n "$tokens" -c 64 --temp 0 --no-tune \
        -p "Once upon a time" > "$work/want" 2> "$work/log" || { cat "$work/log"; fail "$model: the native program"; }
    on_arm64 run -m "$file" -n "$tokens" -c 64 --temp 0 --no-tune -p "Once upon a time" > "$work/found" 2> "$work/log" ||
        { cat "$work/log"; fail "$model: the arm64 program"; }
    cmp "$work/want" "$work/found" || fail "$model: another text"
    echo "$model: the same $tokens tokens"
done
for op; do
    case $op in
        all) set -- ;;
        once) set -- --once ;;
        *) set -- --op "$op" ;;
    esac
    on_arm64 selftest "$@" > "$work/found" 2> "$work/log" || { cat "$work/log" "$work/found"; fail "selftest $op"; }
    echo "selftest $op: $(tail -n 1 "$work/found")"
done
