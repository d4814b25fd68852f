"""Corpus: reads the story files, learns the tokenizer, and writes one packed token file.

Files hold one ASCII document between `<|endoftext|>` lines; a document is the text between two
such lines without white space at its ends. WEIGHT is how many times a file counts in one weighted
pass. Every 58th document of tinystories.train is kept out as a development set; the validation
file is only ever read for evaluation.

    python3 corpus.py CORPUS_FOLDER OUT.npz TOKENIZER.json

OUT.npz: for each source `NAME` (uint16: 0, ids, 0, ids, ..., 0) and `NAME_starts` (int32: where
each document's leading 0 stands).
"""
import collections
import lzma
import os
import sys
import time

import numpy as np

import tokenizer

ENTRIES = 4096
WEIGHT = {"tinystories": 4, "storybooks": 4, "fairytales": 2, "books": 1}
FILES = {"tinystories": "tinystories.train.txt", "storybooks": "storybooks_ccby.txt",
         "fairytales": "fairytales_pd.txt", "books": "childrens_books_pd.txt",
         "val": "tinystories.val.txt"}
DEV_EVERY = 58


def documents(folder, name):
    path = os.path.join(folder, FILES[name])
    if os.path.exists(path):
        with open(path) as f:
            text = f.read()
    else:
        with lzma.open(path + ".xz", "rt") as f:
            text = f.read()
    return [d for d in (part.strip() for part in text.split(tokenizer.END_TEXT)) if d]


def load(folder):
    docs = {name: documents(folder, name) for name in FILES}
    docs["dev"] = docs["tinystories"][::DEV_EVERY]
    docs["tinystories"] = [d for i, d in enumerate(docs["tinystories"]) if i % DEV_EVERY]
    return docs


def pack(tok, docs):
    ids, starts = [], []
    for doc in docs:
        starts.append(len(ids))
        ids.append(tokenizer.END_ID)
        ids.extend(tok.encode(doc))
    ids.append(tokenizer.END_ID)
    return np.array(ids, np.uint16), np.array(starts, np.int32)


def main(folder, out, tokenizer_out):
    begin = time.time()
    docs = load(folder)
    counts = collections.Counter()
    for name, weight in WEIGHT.items():
        for doc in docs[name]:
            tokenizer.count_pieces(doc, weight, counts)
    print(f"{len(counts)} distinct pieces, {time.time() - begin:.0f} s", flush=True)
    tok = tokenizer.Tokenizer(tokenizer.learn(counts, ENTRIES))
    tok.save(tokenizer_out)
    print(f"tokenizer of {257 + len(tok.merges)}, {time.time() - begin:.0f} s", flush=True)
    arrays = {}
    for name, part in docs.items():
        arrays[name], arrays[name + "_starts"] = pack(tok, part)
        size = sum(len(d) for d in part)
        print(f"{name}: {len(part)} documents, {size} bytes, {len(arrays[name])} tokens, "
              f"{size / len(arrays[name]):.3f} bytes a token, {time.time() - begin:.0f} s", flush=True)
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:4])
