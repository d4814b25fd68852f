#!/bin/sh
# The files that know Windows, which no other build of this machine compiles.
#
#   windows_compile.sh SOURCE
set -eu
cd "$1"
gcc=x86_64-w64-mingw32-gcc-win32
command -v $gcc >/dev/null || {
    echo "SKIPPED: no $gcc (Debian: gcc-mingw-w64-x86-64-win32): nothing is compiled for Windows"
    exit 77
}
for file in runtime/base/platform_windows.c cli/platform_windows.c cli/line_edit_windows.c; do
    $gcc -std=c11 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror \
        -D__USE_MINGW_ANSI_STDIO=1 -Iruntime -Iruntime/include -Icli "$file"
done
