#!/bin/sh
# Corpus -> tokenizer and tokens -> three trained models -> GGUF files -> evaluation.
#     run.sh CORPUS_FOLDER OUT_FOLDER          needs Python 3 with numpy and PyTorch, one CUDA device
# STEPS, TERNARY and TWIN override the length and add options to train.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
corpus=$1
out=$2
steps=${STEPS:-4000}
mkdir -p "$out"
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
[ -e "$out/tokens.npz" ] || python3 "$here/corpus.py" "$corpus" "$out/tokens.npz" "$out/tokenizer.json"

# Both trainings share the device: one computes while the other compiles or waits.
python3 "$here/train.py" "$out/tokens.npz" "$out" llama --steps "$steps" --dropout 0.2 \
    --decay 0.5 ${TWIN:-} > "$out/llama.log" 2>&1 &
twin=$!
python3 "$here/train.py" "$out/tokens.npz" "$out" ternary --steps "$steps" --dropout 0.2 \
    ${TERNARY:-} > "$out/ternary.log" 2>&1
wait $twin

for pair in a48:stories-a48 b158:stories-b158 fp16:stories-fp16; do
    python3 "$here/export.py" "$out/${pair%:*}.pt" "$out/tokenizer.json" "$out/${pair#*:}.gguf"
done
for name in stories-a48 stories-b158 stories-fp16; do
    python3 "$here/evaluate.py" "$out/$name"*.gguf --text "$corpus/tinystories.val.txt" --samples \
        --out "$out/$name.json" > "$out/$name.log" 2>&1
done
