#!/bin/sh
# Llama 3's vocabulary out of an npm package: ids of stress texts against the package's own encoder,
# round trips to the byte, and Unicode classes against V8's.
#
#   test_llama3.sh TERNVK TOKENS WORK
#
# Needs node, npm and the package (fetched into WORK once); skips, loudly, without them.
set -u
ternvk=$1 tokens=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)
package=llama3-tokenizer-js@1.2.0

skip() {
    echo "SKIPPED: $*: Llama 3's vocabulary is not tested"
    exit 77
}

command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are not on this machine"
mkdir -p "$work"
cd "$work" || exit 1
if [ ! -e package/package.json ]; then
    timeout 40 npm pack --silent --fetch-retries=0 "$package" >npm.log 2>&1 || skip "npm cannot fetch $package"
    tar -xzf llama3-tokenizer-js-*.tgz || exit 1
fi

failed=0
node "$here/llama3.mjs" make package . || exit 1
for text in *.txt; do
    "$tokens" check llama3.gguf "$text" "${text%.txt}.ids" || failed=1
done
"$tokens" check llama3.gguf invalid.bytes - || failed=1
"$ternvk" tokenize -m llama3.gguf --no-bos -f all.txt >all.out && cmp all.out all.ids || failed=1
"$tokens" classes classes.out && node "$here/llama3.mjs" classes classes.out || failed=1
exit $failed
