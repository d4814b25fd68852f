"""Writes a trained checkpoint as GGUF.

    python3 export.py CHECKPOINT.pt TOKENIZER.json OUT.gguf

Ternary models: architecture `bitnet`; linears TQ2_0 with block scale 1 and beside each a one-element
F32 tensor `blk.N.NAME.scale` (multiplier, max(mean|W|, 1e-5)); embedding Q8_0; norms F32; no row
permutation (rotary pairs are i and i + head/2).
FP16 twin: architecture `llama`; linears and embedding F16; norms F32; rows of Q and K of each head
reordered [2][head/2] -> [head/2][2], because readers of that architecture rotate neighbours; split
into files of at most 16 MiB, OUT-00001-of-0000M.gguf.
"""
import math
import sys

import numpy as np
import torch

import gguf
import model
import quantize
import tokenizer

SPLIT_BYTES = 16 << 20
HEAD_ROOM = 4096                           # names and offsets of a split file without metadata


def tokenizer_keys(tok):
    names = tok.names()
    return [("tokenizer.ggml.model", gguf.STRING, "gpt2"),
            ("tokenizer.ggml.pre", gguf.STRING, "gpt-2"),
            ("tokenizer.ggml.tokens", gguf.ARRAY, (gguf.STRING, names)),
            ("tokenizer.ggml.token_type", gguf.ARRAY, (gguf.I32, [3] + [1] * (len(names) - 1))),
            ("tokenizer.ggml.merges", gguf.ARRAY, (gguf.STRING, tok.merge_lines())),
            ("tokenizer.ggml.bos_token_id", gguf.U32, tokenizer.END_ID),
            ("tokenizer.ggml.eos_token_id", gguf.U32, tokenizer.END_ID),
            ("tokenizer.ggml.add_bos_token", gguf.BOOL, True)]


def model_keys(s, mode):
    arch = "llama" if mode == "none" else "bitnet"
    title = {"none": "ternvk stories FP16", "int8": "ternvk stories b1.58",
             "a4.8": "ternvk stories a4.8"}[mode]
    keys = [("general.architecture", gguf.STRING, arch),
            ("general.name", gguf.STRING, title),
            ("general.license", gguf.STRING, "cc-by-4.0"),
            ("general.file_type", gguf.U32, 1 if mode == "none" else 37)]
    for name, kind, v in [
            ("block_count", gguf.U32, s.layers), ("context_length", gguf.U32, s.context),
            ("embedding_length", gguf.U32, s.hidden), ("feed_forward_length", gguf.U32, s.ffn),
            ("attention.head_count", gguf.U32, s.heads),
            ("attention.head_count_kv", gguf.U32, s.kv_heads),
            ("attention.key_length", gguf.U32, s.head),
            ("attention.value_length", gguf.U32, s.head),
            ("attention.layer_norm_rms_epsilon", gguf.FLOAT, s.eps),
            ("rope.dimension_count", gguf.U32, s.head), ("rope.freq_base", gguf.FLOAT, s.theta),
            ("vocab_size", gguf.U32, s.vocab)]:
        keys.append((f"{arch}.{name}", kind, v))
    if mode != "none":
        keys.append((f"{arch}.hidden_activation", gguf.STRING, "relu2"))
        keys.append((f"{arch}.activation_quant", gguf.STRING, mode))
    return keys


def interleave(rows, heads):
    """Rows of Q or K from half-split to neighbouring rotary pairs, head by head."""
    out, inner = rows.shape
    return rows.reshape(heads, 2, out // heads // 2, inner).swapaxes(1, 2).reshape(out, inner)


def tensors(params, s, mode):
    """[(name, array, type)] in file order."""
    plain = {k: v.numpy() for k, v in params.items()}
    ternary = mode != "none"
    rows = [("token_embd.weight", plain["token_embd"], gguf.Q8_0 if ternary else gguf.F16)]
    for n in range(s.layers):
        for name in ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_sub_norm", "attn_output",
                     "ffn_norm", "ffn_gate", "ffn_up", "ffn_sub_norm", "ffn_down"):
            key = f"blk.{n}.{name}"
            if key not in plain:
                continue
            if name in model.NORMS:
                rows.append((key + ".weight", plain[key], gguf.F32))
            elif ternary:
                codes, scale = quantize.ternary(params[key])
                rows.append((key + ".weight", codes.round().numpy(), gguf.TQ2_0))
                rows.append((key + ".scale", scale.reshape(1).numpy(), gguf.F32))
            else:
                heads = {"attn_q": s.heads, "attn_k": s.kv_heads}.get(name)
                w = interleave(plain[key], heads) if heads else plain[key]
                rows.append((key + ".weight", w, gguf.F16))
    rows.append(("output_norm.weight", plain["output_norm"], gguf.F32))
    return rows


def stored(array, kind):
    per, size = gguf.BLOCK[kind]
    return -(-array.size // per * size // gguf.ALIGN) * gguf.ALIGN


def write_split(stem, keys, rows):
    """Fills files in tensor order; the first one holds all metadata."""
    used = sum(len(gguf.text(n) + gguf.value(kind, v)) + 8 for n, kind, v in keys) + HEAD_ROOM
    parts = [[]]
    for row in rows:
        size = stored(row[1], row[2])
        if used + size > SPLIT_BYTES:
            parts.append([])
            used = HEAD_ROOM
        parts[-1].append(row)
        used += size
    paths = []
    for i, part in enumerate(parts):
        split = [("split.no", gguf.U16, i), ("split.count", gguf.U16, len(parts)),
                 ("split.tensors.count", gguf.I32, len(rows))]
        path = f"{stem}-{i + 1:05d}-of-{len(parts):05d}.gguf"
        size = gguf.write(path, (keys if i == 0 else []) + split, part)
        assert size <= SPLIT_BYTES, (path, size)
        paths.append(path)
    return paths


def export(checkpoint, tok, out):
    saved = torch.load(checkpoint, map_location="cpu")
    s, mode = model.Shape(**saved["shape"]), saved["mode"]
    assert math.isclose(saved["params"]["token_embd"].shape[0], len(tok.names()))
    keys = model_keys(s, mode) + tokenizer_keys(tok)
    rows = tensors(saved["params"], s, mode)
    if mode == "none":
        return write_split(out.removesuffix(".gguf"), keys, rows)
    gguf.write(out, keys, rows)
    return [out]


def main(checkpoint, tokenizer_path, out):
    for path in export(checkpoint, tokenizer.Tokenizer.load(tokenizer_path), out):
        keys, found = gguf.read([path])
        size = len(open(path, "rb").read())
        kinds = {}
        for a, kind in found.values():
            kinds[gguf.TYPE_NAMES[kind]] = kinds.get(gguf.TYPE_NAMES[kind], 0) + a.size
        print(path, size, "bytes", len(keys), "keys", len(found), "tensors", kinds)


if __name__ == "__main__":
    main(*sys.argv[1:4])
