#!/bin/sh
# ternvk.exe links, as the preset mingw builds it, and needs no library that Windows does not have.
#
#   windows_link.sh SOURCE EXE        EXE: BUILD/ternvk.exe
set -eu
source=$1 exe=$2
build=${exe%/*}
gcc=x86_64-w64-mingw32-gcc-win32
command -v $gcc >/dev/null || {
    echo "SKIPPED: no $gcc (Debian: gcc-mingw-w64-x86-64-win32): nothing is built for Windows"
    exit 77
}
[ -e "$TVK_TOOLCHAIN/done" ] || {
    echo "SKIPPED: no private tool chain: the system's Vulkan headers lie beside Linux's own"
    exit 77
}
# The sources of the libraries come from Debian once; offline they cannot.
if [ ! -e "$source/build/libraries/source/pcre2/src/pcre2.h.generic" ] &&
    ! sh "$source/third_party/unpack.sh" --source "$build/probe" bookworm amd64 jansson; then
    echo "SKIPPED: the sources of Jansson and PCRE2 cannot be had here (reason above)"
    exit 77
fi
cd "$source"
cmake --preset mingw -B "$build" -DTVK_TOOLCHAIN="$TVK_TOOLCHAIN" >"$build.log" 2>&1 &&
    cmake --build "$build" --parallel 2 >>"$build.log" 2>&1 || {
    grep -v '^\[' "$build.log"
    exit 1
}
x86_64-w64-mingw32-objdump -p "$exe" | sed -n 's/.*DLL Name: //p' | sort >"$build/imports"
cat "$build/imports"
if grep -qivxE 'kernel32\.dll|msvcrt\.dll|shell32\.dll|advapi32\.dll' "$build/imports"; then
    echo "the program is one file: only libraries of Windows itself expected"
    exit 1
fi
