#!/bin/sh
# The JNI example: its C side compiles against jni.h with the signatures that javac makes of its Java
# side, and, where there is a Java to run it, writes the text that the program writes.
#
#   test_jni.sh SOURCE WORK PROGRAM MODEL DRIVER-SCRIPT LIBRARY...
set -eu
skip() { echo "JNI EXAMPLE SKIPPED: $*"; exit 77; }
source=$1 work=$2 program=$3 model=$4 driver=$5
shift 5
jni=
for folder in "${JAVA_HOME:-/nonexistent}"/include /usr/lib/jvm/*/include; do
    [ ! -e "$folder/jni.h" ] || jni=$folder
done
[ -n "$jni" ] || skip "no jni.h: install openjdk-17-jdk-headless"
command -v javac >/dev/null && command -v java >/dev/null || skip "no javac or java"
rm -rf "$work"
mkdir -p "$work/classes"
cat > "$work/Main.java" <<'J'
import org.ternvk.Ternvk;

public class Main {
    public static void main(String[] args) {
        try (Ternvk t = new Ternvk(args[0], 64)) {
            t.generate("Once upon a time", 12, 0, utf8 -> {
                System.out.write(utf8, 0, utf8.length);
                return true;
            });
            System.out.flush();
        }
        try {
            new Ternvk(args[0] + ".nothing", 0);
            System.out.println("no exception for a file that is not there");
        } catch (IllegalStateException e) {
            if (!e.getMessage().contains("nothing")) System.out.println("another reason: " + e.getMessage());
        }
    }
}
J
javac -Xlint:all -Werror -d "$work/classes" -h "$work" "$source/android/Ternvk.java" "$work/Main.java"
cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O1 -fPIC -shared -o "$work/libternvk_jni.so" \
    -isystem "$jni" -isystem "$jni/linux" -I "$source/runtime/include" -I "$source/loader/include" \
    -include "$work/org_ternvk_Ternvk.h" "$source/android/ternvk_jni.c" "$@" -lm -ldl -lpthread
export TVK_TOOLCHAIN
status=0
"$driver" system java -Djava.library.path="$work" -cp "$work/classes" Main "$model" > "$work/text" || status=$?
[ $status != 77 ] || skip "it compiles; not run, there is no driver"
[ $status = 0 ] || exit 1
"$driver" system "$program" run -m "$model" -c 64 -n 12 --temp 0 --no-tune --no-display-prompt \
    -p "Once upon a time" > "$work/want" 2>/dev/null
printf '\n' >> "$work/text"
cmp "$work/want" "$work/text"
echo "the same text from Java: $(cat "$work/text")"
