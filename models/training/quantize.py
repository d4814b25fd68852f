"""Quantisers of BitNet b1.58 (arXiv 2402.17764) and BitNet a4.8 (arXiv 2411.04965), PyTorch.

    weights  W -> t * m,   m = max(mean|W|, 1e-5) of the tensor, t = RoundClip(W / m, -1, 1)
    INT8     x -> q / s,   s = 127 / max(max|x|, 1e-5) of the token row, q = RoundClip(x s, -128, 127)
    INT4     x -> q / s,   s = sqrt(7) / max(mean|x|, 1e-5) of the token row, q = RoundClip(x s, -8, 7)
    Top-K    keeps the ceil(K/2) largest |x| of a token row, then INT8

RoundClip rounds to nearest, ties to even. Training uses straight-through estimators: the value is
the code, the gradient that of the unrounded (and, for Top-K, unmasked) number; scales are constants
for the gradient. Codes and ternary weights are small integers, exact in bfloat16, so the training's
matrix products run on the exact codes.
"""
import math

import torch

ROOT7 = math.sqrt(7.0)
FLOOR = 1e-5


def through(value, base):
    """`value` forward, the gradient of `base` backward."""
    return base + (value - base).detach()


def ternary(weight):
    """Codes -1, 0, 1 (float, straight-through) and the multiplier."""
    mean = weight.detach().abs().mean().clamp(min=FLOOR)
    scaled = weight / mean
    return through(scaled.round().clamp(-1, 1), scaled), mean


def int8(x):
    """Codes (float, straight-through) and 1/s per row."""
    top = x.detach().abs().amax(-1, keepdim=True).clamp(min=FLOOR)
    scaled = x * (127.0 / top)
    return through(scaled.round().clamp(-128, 127), scaled), top / 127.0


def int4(x):
    mean = x.detach().abs().mean(-1, keepdim=True).clamp(min=FLOOR)
    scaled = x * (ROOT7 / mean)
    return through(scaled.round().clamp(-8, 7), scaled), mean / ROOT7


def kept(x):
    """How many entries of a row Top-K 50 % keeps."""
    return (x.shape[-1] + 1) // 2


def top_half(x):
    """Top-K by threshold: equal |x| at the limit are all kept (training only)."""
    size = x.detach().abs()
    limit = torch.kthvalue(size, x.shape[-1] - kept(x) + 1, dim=-1, keepdim=True).values
    return through(torch.where(size >= limit, x, 0.0), x)
