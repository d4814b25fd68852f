"""The story models as training sees them.

A block with pre-norms and, in the ternary models, sub-norms before O and before down:

    a = RMSNorm(h);  q, k, v = a Wq', a Wk', a Wv';  rotary embedding (half-split pairs) on q and k
    h = h + RMSNorm_sub(attention(q, k, v)) Wo'
    m = RMSNorm(h);  f = relu(m Wgate')^2 * (m Wup')          (FP16 twin: silu(m Wgate') * (m Wup'))
    h = h + RMSNorm_sub(f) Wdown'
    logits = RMSNorm(h) E'                                     E: the token embedding, tied

`mode` chooses what a linear's input becomes: "int8" (b1.58), "a4.8", "none" (the FP16 twin, whose
weights are not quantised either). Residual stream, norms and scales are float32, matrix products
bfloat16. One block function takes its weights as arguments, so one compilation serves all layers.
"""
import dataclasses
import math

import torch
import torch.nn.functional as F

import quantize


@dataclasses.dataclass(frozen=True)
class Shape:
    vocab: int = 4096
    hidden: int = 512
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4
    head: int = 64
    ffn: int = 1280
    context: int = 512
    theta: float = 10000.0
    eps: float = 1e-5


LINEARS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
NORMS = ("attn_norm", "attn_sub_norm", "ffn_norm", "ffn_sub_norm")


def linear_shapes(s):
    """[out, in] of each linear."""
    q, kv = s.heads * s.head, s.kv_heads * s.head
    return {"attn_q": (q, s.hidden), "attn_k": (kv, s.hidden), "attn_v": (kv, s.hidden),
            "attn_output": (s.hidden, q), "ffn_gate": (s.ffn, s.hidden),
            "ffn_up": (s.ffn, s.hidden), "ffn_down": (s.hidden, s.ffn)}


def norm_sizes(s, ternary):
    sizes = {"attn_norm": s.hidden, "ffn_norm": s.hidden}
    if ternary:
        sizes.update(attn_sub_norm=s.heads * s.head, ffn_sub_norm=s.ffn)
    return sizes


def initial(s, ternary, seed, device):
    """Parameters by GGUF tensor name (without ".weight")."""
    gen = torch.Generator().manual_seed(seed)
    params = {"token_embd": torch.randn(s.vocab, s.hidden, generator=gen) * 0.02,
              "output_norm": torch.ones(s.hidden)}
    for n in range(s.layers):
        for name, (rows, cols) in linear_shapes(s).items():
            std = 0.02
            if name in ("attn_output", "ffn_down") and not ternary:
                std /= math.sqrt(2 * s.layers)
            params[f"blk.{n}.{name}"] = torch.randn(rows, cols, generator=gen) * std
        for name, size in norm_sizes(s, ternary).items():
            params[f"blk.{n}.{name}"] = torch.ones(size)
    return {k: v.to(device).requires_grad_() for k, v in params.items()}


def rotary(s, device):
    """cos and sin, [context, head/2]."""
    freq = s.theta ** (-torch.arange(0, s.head, 2, dtype=torch.float64) / s.head)
    angle = torch.arange(s.context, dtype=torch.float64)[:, None] * freq
    return angle.cos().float().to(device), angle.sin().float().to(device)


def rms_norm(x, gain, eps):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * gain


def rotate(x, cos, sin):
    """x [B, heads, T, head]; pairs are (i, i + head/2)."""
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1).to(x.dtype)


def product(x, weights, kind):
    """x [.., K] times several [N_i, K], one matrix product; `kind` is the input's quantiser."""
    low = torch.bfloat16
    if kind == "none":
        y = x.to(low) @ torch.cat([w.to(low) for w in weights]).t()
        return y.split([w.shape[0] for w in weights], -1)
    codes, step = {"int8": quantize.int8, "int4": quantize.int4}[kind](x)
    pairs = [quantize.ternary(w) for w in weights]
    y = codes.to(low) @ torch.cat([t.to(low) for t, _ in pairs]).t()
    parts = y.split([w.shape[0] for w in weights], -1)
    return [part.float() * (step * mean) for part, (_, mean) in zip(parts, pairs)]


def block(h, cos, sin, w, s, mode, dropout):
    """One layer; w: its parameters by short name; h [B, T, hidden] float32."""
    batch, length, _ = h.shape
    inner = "int4" if mode == "a4.8" else mode
    outer = "none" if mode == "none" else "int8"

    a = rms_norm(h, w["attn_norm"], s.eps)
    q, k, v = product(a, [w["attn_q"], w["attn_k"], w["attn_v"]], inner)
    q, k, v = (t.to(torch.bfloat16).view(batch, length, -1, s.head).transpose(1, 2)
               for t in (q, k, v))
    o = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v,
                                       is_causal=True, enable_gqa=True)
    o = o.transpose(1, 2).reshape(batch, length, -1).float()
    if mode != "none":
        o = rms_norm(o, w["attn_sub_norm"], s.eps)
    if mode == "a4.8":
        o = quantize.top_half(o)
    o, = product(o, [w["attn_output"]], outer)
    h = h + F.dropout(o.float(), dropout, dropout > 0)

    m = rms_norm(h, w["ffn_norm"], s.eps)
    gate, up = product(m, [w["ffn_gate"], w["ffn_up"]], inner)
    if mode == "none":
        f = F.silu(gate.float()) * up.float()
    else:
        f = rms_norm(F.relu(gate).square() * up, w["ffn_sub_norm"], s.eps)
    f, = product(f, [w["ffn_down"]], outer)
    return h + F.dropout(f.float(), dropout, dropout > 0)


def head_loss(h, gain, embedding, targets, eps):
    """Mean cross entropy of the tied head."""
    x = rms_norm(h, gain, eps).to(torch.bfloat16)
    logits = x @ embedding.to(torch.bfloat16).t()
    return F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.reshape(-1),
                           ignore_index=-1)


class Model:
    """Parameters and the two compiled functions."""

    def __init__(self, shape, ternary, seed, device, compiled):
        self.shape, self.device = shape, device
        self.params = initial(shape, ternary, seed, device)
        self.cos, self.sin = rotary(shape, device)
        self.names = (*LINEARS, *norm_sizes(shape, ternary))
        wrap = (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)
        self.fast = wrap(block), wrap(head_loss)
        self.plain = block, head_loss

    def layer(self, n):
        return {name: self.params[f"blk.{n}.{name}"] for name in self.names}

    def loss(self, ids, targets, mode, dropout=0.0, fast=True):
        one, head = self.fast if fast else self.plain
        length = ids.shape[1]
        h = F.embedding(ids, self.params["token_embd"])
        h = F.dropout(h, dropout, dropout > 0)
        cos, sin = self.cos[:length], self.sin[:length]
        for n in range(self.shape.layers):
            h = one(h, cos, sin, self.layer(n), self.shape, mode, dropout)
        return head(h, self.params["output_norm"], self.params["token_embd"], targets,
                    self.shape.eps)
