"""Trains the story models.

    python3 train.py TOKENS.npz OUT_FOLDER ternary|llama [--steps N ...]

`ternary`: stage 1 trains W1.58A8 (mode int8) on the weighted mixture; the last `--tail` of the steps
are TinyStories only and run twice from the same weights and optimizer state: once still int8
(-> b158.pt), once with the a4.8 input formats (-> a48.pt). `llama`: the FP16 twin on the same data
and schedule of sources (-> fp16.pt).

AdamW (0.9, 0.95), gradient norm clipped to 1. The learning rate falls linearly to half until the
tail, and linearly to 0 in it: the corpus is small, and a long time at a low rate learns it by heart.
Weight decay of the ternary models goes to 0 half way (as the b1.58 authors do). In the tail the
development set is scored every 50 steps and the weights with the lowest loss are the ones kept.
A batch row is a window of context + 1 tokens; three of four TinyStories and storybook windows begin
at a document, as generation does, all others anywhere.
"""
import argparse
import json
import os
import time

import numpy as np
import torch

import corpus
import model

SHORT = ("tinystories", "storybooks")      # document order is shuffled, windows begin at documents
AT_DOCUMENT = 0.75
RESHUFFLE = 200                            # steps between two shuffles


class Windows:
    """Random training windows; everything lives on the device and follows one seed."""

    def __init__(self, arrays, length, device, seed):
        self.length, self.device = length, device
        self.gen = torch.Generator(device).manual_seed(seed)
        self.ids = {n: torch.from_numpy(arrays[n].astype(np.int16)).to(device)
                    for n in corpus.WEIGHT}
        self.starts = {n: torch.from_numpy(arrays[n + "_starts"].astype(np.int64)).to(device)
                       for n in SHORT}
        self.base = dict(self.ids), dict(self.starts)
        share = torch.tensor([len(self.ids[n]) * w for n, w in corpus.WEIGHT.items()],
                             dtype=torch.float64)
        self.share = (share / share.sum()).float().to(device)

    def shuffle(self):
        for name in SHORT:
            ids, starts = self.base[0][name], self.base[1][name]
            sizes = torch.diff(starts, append=torch.tensor([len(ids) - 1], device=self.device))
            order = torch.randperm(len(starts), generator=self.gen, device=self.device)
            sizes, old = sizes[order], starts[order]
            new = torch.cumsum(sizes, 0) - sizes
            index = torch.arange(len(ids) - 1, device=self.device)
            index += torch.repeat_interleave(old - new, sizes)
            self.ids[name] = torch.cat((ids[index], ids[-1:]))
            self.starts[name] = new

    def rows(self, name, count):
        ids = self.ids[name]
        limit = len(ids) - self.length - 1
        at = (torch.rand(count, generator=self.gen, device=self.device) * limit).long()
        if name in SHORT:
            starts = self.starts[name]
            pick = torch.rand(count, generator=self.gen, device=self.device) * len(starts)
            begin = starts[pick.long()].clamp(max=limit)
            coin = torch.rand(count, generator=self.gen, device=self.device) < AT_DOCUMENT
            at = torch.where(coin, begin, at)
        index = at[:, None] + torch.arange(self.length + 1, device=self.device)
        return ids[index].long()

    def batch(self, step, count, tail):
        if step % RESHUFFLE == 0:
            self.shuffle()
        if tail:
            rows = self.rows("tinystories", count)
        else:
            source = torch.multinomial(self.share, count, replacement=True, generator=self.gen)
            rows = torch.zeros(count, self.length + 1, dtype=torch.long, device=self.device)
            for i, name in enumerate(corpus.WEIGHT):
                rows = torch.where((source == i)[:, None], self.rows(name, count), rows)
        return rows[:, :-1], rows[:, 1:]


def padded(arrays, name, length, device):
    """Each document as a row: ids and targets (-1 past its end), cut to `length` predictions."""
    ids, starts = arrays[name].astype(np.int64), arrays[name + "_starts"]
    ends = np.append(starts[1:], len(ids) - 1)
    x = np.zeros((len(starts), length), np.int64)
    y = np.full((len(starts), length), -1, np.int64)
    for row, (a, b) in enumerate(zip(starts, ends)):
        n = min(b - a, length)
        x[row, :n], y[row, :n] = ids[a:a + n], ids[a + 1:a + n + 1]
    return torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)


def schedule(step, opt):
    """(learning rate, weight decay) of a step."""
    done = step / opt.steps
    warm = min(1.0, (step + 1) / opt.warmup)
    stay = 1 - opt.tail
    share = 1 - 0.5 * done / stay if done < stay else 0.5 * (1 - done) / opt.tail
    return warm * opt.lr * share, opt.decay if opt.kind == "llama" or done < 0.5 else 0.0


class Run:
    def __init__(self, opt):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        arrays = np.load(opt.data)
        arrays = {k: arrays[k] for k in arrays.files}
        self.opt, self.kind = opt, opt.kind
        self.shape = model.Shape()
        self.model = model.Model(self.shape, opt.kind == "ternary", opt.seed, device,
                                 compiled=device == "cuda")
        params = self.model.params.values()
        self.adam = torch.optim.AdamW(
            [{"params": [p for p in params if p.dim() == 2]},
             {"params": [p for p in params if p.dim() == 1], "weight_decay": 0.0}],
            lr=opt.lr, betas=(0.9, 0.95), fused=device == "cuda")
        self.windows = Windows(arrays, self.shape.context, device, opt.seed)
        self.dev = padded(arrays, "dev", self.shape.context, device)
        self.val = padded(arrays, "val", self.shape.context, device)
        self.begin = time.time()
        self.log_file = open(os.path.join(opt.out, opt.kind + ".jsonl"), "w")

    def log(self, **row):
        row["seconds"] = round(time.time() - self.begin, 1)
        self.log_file.write(json.dumps(row) + "\n")
        self.log_file.flush()
        print(json.dumps(row), flush=True)

    def snapshot(self):
        return ([p.detach().clone() for p in self.model.params.values()],
                [{k: v.clone() for k, v in self.adam.state[p].items()}
                 for p in self.model.params.values()],
                self.windows.gen.get_state())

    def restore(self, saved):
        with torch.no_grad():
            for p, value, state in zip(self.model.params.values(), saved[0], saved[1]):
                p.copy_(value)
                for k, v in state.items():
                    self.adam.state[p][k].copy_(v)
        self.windows.gen.set_state(saved[2])

    def dev_loss(self, mode):
        with torch.no_grad():
            return self.model.loss(*self.dev, mode, fast=False).item()

    def steps(self, first, last, mode, tail, dropout):
        """Runs steps; in the tail, leaves the weights with the lowest development loss."""
        params = list(self.model.params.values())
        total = torch.zeros((), device=params[0].device)
        count, best = 0, (float("inf"), None, None)
        for step in range(first, last):
            rate, decay = schedule(step, self.opt)
            for group, wd in zip(self.adam.param_groups, (decay, 0.0)):
                group["lr"], group["weight_decay"] = rate, wd
            ids, targets = self.windows.batch(step, self.opt.batch, tail)
            loss = self.model.loss(ids, targets, mode, dropout)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(params, 1.0)
            self.adam.step()
            self.adam.zero_grad(set_to_none=True)
            total += loss.detach()
            count += 1
            if (step + 1) % self.opt.report == 0 or step + 1 == last:
                row = dict(mode=mode, tail=tail, step=step + 1, loss=round(total.item() / count, 4),
                           lr=round(rate, 6))
                if tail or (step + 1) % (5 * self.opt.report) == 0:
                    row["dev"] = round(self.dev_loss(mode), 4)
                if tail and row["dev"] < best[0]:
                    best = row["dev"], step + 1, [p.detach().clone() for p in params]
                self.log(**row)
                total.zero_()
                count = 0
        if tail:
            with torch.no_grad():
                for p, value in zip(params, best[2]):
                    p.copy_(value)
            self.log(kept=best[1], dev=best[0])
        return best[0]

    def save(self, name, mode):
        torch.save({"params": {k: v.detach().cpu() for k, v in self.model.params.items()},
                    "mode": mode, "shape": vars(self.shape), "options": vars(self.opt),
                    "seconds": time.time() - self.begin}, os.path.join(self.opt.out, name))
        with torch.no_grad():
            val = self.model.loss(*self.val, mode, fast=False).item()
        self.log(saved=name, val=round(val, 4))


def options(args=None):
    ap = argparse.ArgumentParser()
    ap.add_argument("data")
    ap.add_argument("out")
    ap.add_argument("kind", choices=("ternary", "llama"))
    ap.add_argument("--steps", type=int, default=4000)
    ap.add_argument("--tail", type=float, default=0.2)
    ap.add_argument("--batch", type=int, default=128)
    ap.add_argument("--lr", type=float)
    ap.add_argument("--dropout", type=float, default=0.1)
    ap.add_argument("--decay", type=float, default=0.1, help="weight decay")
    ap.add_argument("--warmup", type=int, default=300)
    ap.add_argument("--report", type=int, default=50)
    ap.add_argument("--seed", type=int, default=1)
    opt = ap.parse_args(args)
    opt.lr = opt.lr or {"ternary": 3e-3, "llama": 1.5e-3}[opt.kind]
    return opt


def main():
    opt = options()
    os.makedirs(opt.out, exist_ok=True)
    run = Run(opt)
    switch = round(opt.steps * (1 - opt.tail))
    if opt.kind == "llama":
        run.steps(0, switch, "none", False, opt.dropout)
        run.steps(switch, opt.steps, "none", True, opt.dropout)
        run.save("fp16.pt", "none")
        return
    run.steps(0, switch, "int8", False, opt.dropout)
    middle = run.snapshot()
    run.steps(switch, opt.steps, "a4.8", True, opt.dropout)
    run.save("a48.pt", "a4.8")
    run.restore(middle)
    run.steps(switch, opt.steps, "int8", True, opt.dropout)
    run.save("b158.pt", "int8")


if __name__ == "__main__":
    main()
