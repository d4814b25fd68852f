"""Greedy texts by the independent forward of evaluate.py, as ids, for tests.

    python3 greedy.py MODEL.gguf TEXTS.txt [--tokens 20 | --check]

One line a text: the number of prompt tokens (BOS is the first), then all ids. Each id after the
prompt is the largest logit after the true ids before it, float32 on a CPU; after the end token the
text goes on with whatever the model says.

Many short texts: a sum that is rounded otherwise moves an activation code about once in 40 rows of
the a4.8 model, and every later row of that text then differs by percents of its logits, so that two
correct programs part at near ties. --check reads TEXTS and counts how many of its ids
the same forward in float64 chooses.
"""
import argparse

import torch

import evaluate

NAMES = ("Lily", "Tom", "Anna", "Ben", "the little dog", "Sam", "Mia", "the old king", "a small bird",
         "Tim")
OPENINGS = ("Once upon a time {}", "One day, {} went to", "{} had a", "In the garden {} saw",
            "It was raining, so {}", "\"Can I have it?\" asked {}.", "Every night {}",
            "Mom and {} baked a cake for", "{} was very sad because", "At the park {} met")
PROMPTS = [o.format(n) for o in OPENINGS for n in NAMES]
PROMPTS = [p[0].upper() + p[1:] for p in PROMPTS]


def texts(reader, tokens):
    for prompt in PROMPTS:
        start = len(reader.tok.encode(prompt)) + 1
        ids, _ = reader.greedy(prompt, tokens)
        assert len(ids) == start + tokens <= reader.context
        yield [start, *ids]


def check(reader, path):
    with open(path) as f:
        rows = [[int(i) for i in line.split()] for line in f if line[0] != "#"]
    agree = total = 0
    for start, *ids in rows:
        best = reader.forward(torch.tensor([ids]))[0].argmax(-1).tolist()
        agree += sum(best[i - 1] == ids[i] for i in range(start, len(ids)))
        total += len(ids) - start
    print(f"{len(rows)} texts, {agree} of {total} tokens agree")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model")
    ap.add_argument("texts")
    ap.add_argument("--tokens", type=int, default=20)
    ap.add_argument("--check", action="store_true")
    opt = ap.parse_args()
    with torch.no_grad():
        if opt.check:
            check(evaluate.Reader([opt.model], dtype=torch.float64), opt.texts)
            return
        lines = [f"# models/training/greedy.py {opt.model.split('/')[-1]} --tokens {opt.tokens}",
                 f"# {len(PROMPTS)} texts; a line: prompt tokens, ids"]
        lines += [" ".join(map(str, t)) for t in texts(evaluate.Reader([opt.model]), opt.tokens)]
    with open(opt.texts, "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
