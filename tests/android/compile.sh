#!/bin/sh
# Do the C sources compile for Android, and do they call only what bionic has?
#
#   compile.sh WORK TOOLCHAIN INCLUDE... -- SOURCE...
#
# There is no NDK in any package system, so clang compiles for aarch64-linux-android29 with the headers
# of musl, a C library that like bionic has no extension of glibc's that is not asked for. The undefined
# symbols of all objects together are held against bionic.txt. Jansson and PCRE2 are built from source
# on Android (TVK_LIBRARIES_FROM_SOURCE): their symbols and those of the shaders are not looked at.
# What it cannot show: that bionic's headers agree with musl's. WORK keeps the headers between runs.
set -eu
skip() { echo "ANDROID COMPILE CHECK SKIPPED: $*"; exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
work=$1 toolchain=$2
shift 2
for need in clang ld.lld readelf; do
    command -v $need >/dev/null || skip "$need is not on this machine"
done
headers=$work/root/usr/include/aarch64-linux-musl
if [ ! -e "$headers/stdio.h" ]; then
    "$here/../../third_party/unpack.sh" --files '*/include/*' "$work" bookworm arm64 musl-dev ||
        skip "musl's headers cannot be had (reason above)"
    rm -rf "$work/apt"
fi

# Headers of libraries alone, out of folders where they lie beside another libc's.
rm -rf "$work/include" "$work/objects"
mkdir -p "$work/include" "$work/objects"
for header in jansson.h jansson_config.h pcre2.h; do
    path=$(printf '#include <%s>\n' $header | cc -DPCRE2_CODE_UNIT_WIDTH=8 -E -x c - | sed -n "s,^# 1 \"\(.*/$header\)\".*,\1,p" | sed 1q)
    [ -n "$path" ] || skip "no $header on this machine"
    cp "$path" "$work/include"
done

flags=
while [ "$1" != -- ]; do
    flags="$flags -I$1"
    shift
done
shift
cat > "$work/cc" <<S
#!/bin/sh
exec clang --target=aarch64-linux-android29 -nostdinc -isystem "$(clang -print-resource-dir)/include" \\
    -isystem "$headers" -isystem "$work/include" -isystem "$toolchain/include" $flags -DPCRE2_STATIC \\
    -std=c11 -O0 -fPIC -fvisibility=hidden -ffp-contract=off -Wall -Wextra -Wpedantic -Wshadow \\
    -Wconversion -Wno-sign-conversion -Werror -c "\$1" -o "$work/objects/\$(echo "\$1" | tr / _).o"
S
chmod +x "$work/cc"
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 "$work/cc"

ld.lld -shared -o "$work/all.so" "$work"/objects/*.o
readelf -Ws --dyn-syms "$work/all.so" | awk '$7 == "UND" && $8 { print $8 }' |
    grep -Ev '^(tvk_spv_|json_|pcre2_)' | sort -u > "$work/needed"
sed '/^#/d' "$here/bionic.txt" | tr ' ' '\n' | sed '/^$/d' | sort -u > "$work/known"
[ -s "$work/needed" ] || { echo "no undefined symbol at all: the check is broken"; exit 1; }
unknown=$(comm -23 "$work/needed" "$work/known")
[ -z "$unknown" ] || { echo "not in bionic.txt, look them up before they are added:" $unknown; exit 1; }
echo "$# files, $(wc -l < "$work/needed") symbols, all of them in bionic"
