"""Evaluates a GGUF story model: its own reader and float32 forward, nothing shared with training.

    python3 evaluate.py MODEL.gguf [more files of a split model] --text FILE [--out R.json]
                        [--samples] [--greedy OUT.npz]

Perplexity: documents between `<|endoftext|>` lines (white space at their ends removed), each by
itself, BOS first, text and EOS predicted, cut to `context` predicted tokens. Bits per byte divides
by the bytes of the predicted text tokens (the EOS has none).
Also counted: zeros among the codes that enter each linear, gates <= 0, up rows that can be skipped
(gate <= 0), zeros among the ternary weights.
"""
import argparse
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F

import gguf
import tokenizer

PROMPT = "Once upon a time, there was a little girl named Lily."
GREEDY_TOKENS = 48


class Reader:
    def __init__(self, paths, device="cpu", dtype=torch.float32):
        keys, found = gguf.read(paths)
        self.keys, self.device, self.dtype = keys, device, dtype
        arch = self.arch = keys["general.architecture"]
        get = lambda name: keys[f"{arch}.{name}"]
        self.layers, self.heads, self.kv_heads = (
            get("block_count"), get("attention.head_count"), get("attention.head_count_kv"))
        self.head, self.context = get("attention.key_length"), get("context_length")
        self.eps, self.theta = get("attention.layer_norm_rms_epsilon"), get("rope.freq_base")
        self.quant = keys.get(f"{arch}.activation_quant", "none")
        assert (arch == "bitnet") == (keys.get(f"{arch}.hidden_activation") == "relu2")
        self.w = {n: torch.from_numpy(np.array(a)).to(device, dtype) for n, (a, _) in found.items()}
        self.kinds = {n: kind for n, (_, kind) in found.items()}
        names = keys["tokenizer.ggml.tokens"]
        ids = {n: i for i, n in enumerate(names)}
        self.tok = tokenizer.Tokenizer([[ids[p] for p in m.split(" ")]
                                        for m in keys["tokenizer.ggml.merges"]])
        assert self.tok.names() == names
        self.counts = {}

    def count(self, name, zeros, total):
        a, b = self.counts.get(name, (0, 0))
        self.counts[name] = a + zeros, b + total

    def codes(self, x, kind, name, mask):
        """Integer codes (as floats) and the step of each row."""
        if kind == "topk":
            keep = math.ceil(x.shape[-1] / 2)
            order = x.abs().sort(dim=-1, descending=True, stable=True).indices[..., :keep]
            x = torch.zeros_like(x).scatter(-1, order, x.gather(-1, order))
        if kind == "int4":
            s = math.sqrt(7) / x.abs().mean(-1, keepdim=True).clamp(min=1e-5)
            q = (x * s).round().clamp(-8, 7)
        else:
            s = 127 / x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
            q = (x * s).round().clamp(-128, 127)
        if mask is not None:
            self.count(name, (q[mask] == 0).sum().item(), q[mask].numel())
            if kind == "int4":
                edge = (x * s)[mask].round()
                self.count("clipped " + name, ((edge > 7) | (edge < -8)).sum().item(), edge.numel())
        return q, 1 / s

    def linear(self, x, layer, names, kind, label, mask):
        if self.quant != "none":
            x, step = self.codes(x, kind, label, mask)
        out = []
        for name in names:
            key = f"blk.{layer}.{name}"
            y = x @ self.w[key + ".weight"].t()
            if key + ".scale" in self.w:
                y = y * (step * self.w[key + ".scale"])
            out.append(y)
        return out

    def norm(self, x, name):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.w[name]

    def rotate(self, x, start=0):
        """[B, heads, T, head], positions from start on; bitnet: pairs (i, i + half); llama:
        pairs (2i, 2i + 1)."""
        half = self.head // 2
        freq = self.theta ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = torch.arange(start, start + x.shape[2], dtype=torch.float64)[:, None] * freq
        cos, sin = (f(angle).to(self.device, self.dtype) for f in (torch.cos, torch.sin))
        if self.arch == "llama":
            a, b = x[..., 0::2], x[..., 1::2]
            return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
        a, b = x[..., :half], x[..., half:]
        return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)

    def forward(self, ids, mask=None, past=None):
        """ids [B, T] -> logits [B, T, vocab]; mask: positions that are counted; past: keys and
        values of the positions before, by layer: read, and extended by these."""
        batch, length = ids.shape
        inner = "int4" if self.quant == "a4.8" else "int8"
        h = self.w["token_embd.weight"][ids]
        start = past[0][0].shape[2] if past else 0
        future = torch.full((length, start + length), -torch.inf, device=self.device)
        future = future.triu(start + 1).to(self.dtype)
        for n in range(self.layers):
            a = self.norm(h, f"blk.{n}.attn_norm.weight")
            q, k, v = self.linear(a, n, ("attn_q", "attn_k", "attn_v"), inner, "qkv", mask)
            q, k, v = (t.view(batch, length, -1, self.head).transpose(1, 2) for t in (q, k, v))
            q, k = self.rotate(q, start), self.rotate(k, start)
            if past is not None:
                k, v = past[n] = [torch.cat(t, 2) for t in zip(past[n], (k, v))] if start else [k, v]
            k, v = (t.repeat_interleave(self.heads // self.kv_heads, 1) for t in (k, v))
            p = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(self.head) + future, -1)
            o = (p @ v).transpose(1, 2).reshape(batch, length, -1)
            if self.arch == "bitnet":
                o = self.norm(o, f"blk.{n}.attn_sub_norm.weight")
            outer = "topk" if self.quant == "a4.8" else "int8"
            h = h + self.linear(o, n, ("attn_output",), outer, "o", mask)[0]

            m = self.norm(h, f"blk.{n}.ffn_norm.weight")
            gate, up = self.linear(m, n, ("ffn_gate", "ffn_up"), inner, "gate_up", mask)
            if self.arch == "bitnet":
                if mask is not None:
                    self.count("gate <= 0", (gate[mask] <= 0).sum().item(), gate[mask].numel())
                f = self.norm(F.relu(gate).square() * up, f"blk.{n}.ffn_sub_norm.weight")
            else:
                f = F.silu(gate) * up
            h = h + self.linear(f, n, ("ffn_down",), "int8", "down", mask)[0]
        return self.norm(h, "output_norm.weight") @ self.w["token_embd.weight"].t()

    def perplexity(self, text, group=16):
        docs = [d.strip() for d in text.split(tokenizer.END_TEXT)]
        rows = [[0] + self.tok.encode(d) + [0] for d in docs if d]
        rows = sorted((r[:self.context + 1] for r in rows), key=len)
        total = tokens = size = 0
        for at in range(0, len(rows), group):
            part = rows[at:at + group]
            ids = torch.zeros(len(part), len(part[-1]), dtype=torch.long, device=self.device)
            mask = torch.zeros_like(ids, dtype=torch.bool)
            for i, r in enumerate(part):
                ids[i, :len(r)] = torch.tensor(r, device=self.device)
                mask[i, :len(r) - 1] = True
                size += sum(len(self.tok.bytes[t]) for t in r[1:])
            mask = mask[:, :-1]
            logits = self.forward(ids[:, :-1], mask)
            total += F.cross_entropy(logits[mask].double(), ids[:, 1:][mask],
                                     reduction="sum").item()
            tokens += int(mask.sum())
        return {"documents": len(rows), "tokens": tokens, "bytes": size,
                "nats_per_token": total / tokens, "perplexity": math.exp(total / tokens),
                "bits_per_byte": total / math.log(2) / size}

    def weight_zeros(self):
        zeros = {}
        for name, w in self.w.items():
            if self.kinds[name] == gguf.TQ2_0:
                kind = name.split(".")[2]
                a, b = zeros.get(kind, (0, 0))
                zeros[kind] = a + (w == 0).sum().item(), b + w.numel()
        zeros["all"] = tuple(map(sum, zip(*zeros.values()))) if zeros else (0, 1)
        return {k: a / b for k, (a, b) in zeros.items()}

    def greedy(self, prompt, count):
        """All ids and the logits after each of them."""
        ids, past = [0] + self.tok.encode(prompt), {}
        logits = self.forward(torch.tensor([ids], device=self.device), past=past)[0]
        for _ in range(count):
            ids.append(int(logits[-1].argmax()))
            last = self.forward(torch.tensor([ids[-1:]], device=self.device), past=past)[0]
            logits = torch.cat((logits, last))
        return ids, logits

    def sample(self, prompt, seed, limit=256, temperature=0.8, top_k=40):
        """A story up to its end token: top-k, then temperature, PyTorch's generator on the CPU."""
        gen = torch.Generator().manual_seed(seed)
        ids = [0] + self.tok.encode(prompt)
        for _ in range(limit):
            logits = self.forward(torch.tensor([ids], device=self.device))[0, -1].float().cpu()
            best = logits.topk(top_k)
            p = torch.softmax(best.values / temperature, -1)
            ids.append(int(best.indices[torch.multinomial(p, 1, generator=gen)]))
            if ids[-1] == 0:
                break
        return self.tok.decode(ids)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model", nargs="+")
    ap.add_argument("--text")
    ap.add_argument("--out")
    ap.add_argument("--samples", action="store_true")
    ap.add_argument("--greedy")
    opt = ap.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    result, begin = {"model": opt.model[0].split("/")[-1]}, time.time()
    with torch.no_grad():
        reader = Reader(opt.model, device)
        result["parameters"] = sum(w.numel() for n, w in reader.w.items()
                                   if not n.endswith(".scale"))
        if opt.text:
            with open(opt.text) as f:
                result.update(reader.perplexity(f.read()))
            result["counts"] = {k: a / b for k, (a, b) in reader.counts.items()}
            result["weight_zeros"] = reader.weight_zeros()
        if opt.greedy:
            ids, logits = reader.greedy(PROMPT, GREEDY_TOKENS)
            result["greedy"] = reader.tok.decode(ids)
            np.savez(opt.greedy, ids=np.array(ids, np.int32),
                     logits=logits.float().cpu().numpy())
        if opt.samples:
            result["samples"] = {seed: reader.sample("Once upon a time", seed)
                                 for seed in (1, 2, 3)}
    result["seconds"] = round(time.time() - begin, 1)
    print(json.dumps(result, indent=1))
    if opt.out:
        with open(opt.out, "w") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
