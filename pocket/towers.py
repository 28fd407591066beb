"""The two networks of pocket: plain 3x3 convolutions for pictures, a two-layer transformer for texts.

Both are sized for two CPU cores: the image tower takes 0.25 GMAC at 128 px, the text tower 0.03 GMAC a query.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two 3x3 convolutions with a short cut (ResNet, arXiv:1512.03385)."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer),
        )  # fmt: skip
        same = stride == 1 and inner == outer
        self.short = nn.Identity() if same else nn.Sequential(
            nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
            nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.short(x))


class ImageTower(nn.Module):
    """(n, 3, S, S) normalised pixels -> (n, dim), S a multiple of 32. Mean pooling sees the scene, max pooling the
    small thing in it; the finer grid (stride 16) is pooled too, because a hydrant is half a cell of it and lost on the
    coarse one. Each cell of the fine grid also says which of `things` it shows, and what the surest cell says, and how
    much of the picture says so, are pooled with the rest.
    """

    def __init__(
        self, dim: int, things: int, *, widths: tuple[int, ...] = (48, 96, 192, 384),
        depths: tuple[int, ...] = (1, 2, 2, 2),
    ) -> None:  # fmt: skip
        super().__init__()
        stem = widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(),
        )  # fmt: skip
        blocks, inner = [], stem
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for row in range(depth):
                blocks.append(Block(inner, width, 2 if stage and row == 0 else 1))
                inner = width
        self.blocks, self.last = nn.Sequential(*blocks[: -depths[-1]]), nn.Sequential(*blocks[-depths[-1] :])
        fine = widths[-2]
        self.small, self.tiny, self.cells = nn.Linear(inner, inner), nn.Linear(fine, fine), nn.Linear(fine, things)
        nn.init.constant_(self.cells.bias, -3.0)
        self.even = nn.BatchNorm1d(2 * things)
        self.width = 2 * inner + fine + 2 * things
        self.out = nn.Linear(self.width, dim)

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """What is pooled, (n, self.width), and the logits of the things in each cell, (n, S/16, S/16, things)."""
        fine = self.blocks(self.stem(image))
        coarse = self.last(fine)  # (n, ..., S/32, S/32)
        cells = self.cells(fine.permute(0, 2, 3, 1))
        share = cells.sigmoid().mean((1, 2)).clamp(min=1e-4).log()
        shown = self.even(torch.cat([cells.amax((1, 2)), share], 1))
        pooled = [coarse.mean((2, 3)), self.small(coarse.amax((2, 3))), self.tiny(fine.amax((2, 3))), shown]
        return torch.cat(pooled, 1), cells

    def forward(self, image: Tensor) -> Tensor:
        vectors: Tensor = self.out(self.features(image)[0])
        return vectors


class Place(nn.Module):
    """Centred sentence vectors (n, teacher) -> where they belong among the pictures, (n, dim): a map plus what a line
    cannot say (that both of two things are asked for).
    """

    def __init__(self, weight: Tensor, hidden: int = 512) -> None:
        super().__init__()
        dim, teacher = weight.shape
        self.line = nn.Linear(teacher, dim, bias=False)
        last = nn.Linear(hidden, dim)
        self.bend = nn.Sequential(nn.Linear(teacher, hidden), nn.GELU(), last)
        with torch.no_grad():
            self.line.weight.copy_(weight)
            last.weight.zero_()
            last.bias.zero_()

    def forward(self, sentence: Tensor) -> Tensor:
        vectors: Tensor = self.line(sentence) + self.bend(sentence)
        return vectors


class TextTower(nn.Module):
    """(n, context) int32 token ids, padded with `pad` -> (n, dim): a bag of words plus what their order adds."""

    def __init__(
        self, dim: int, *, vocab: int, context: int, pad: int, width: int = 192, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.pad, self.heads = pad, heads
        self.words = nn.Embedding(vocab, dim)  # started by least squares, see sentences.py
        self.tokens = nn.Embedding(vocab, width)
        self.places = nn.Parameter(torch.randn(context, width) * 0.01)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, dim)
        nn.init.normal_(self.tokens.weight, std=0.05)
        nn.init.zeros_(self.out.weight)
        nn.init.normal_(self.out.bias, std=0.02)  # keeps the vector of an empty text away from zero

    def forward(self, text: Tensor) -> Tensor:
        real = (text != self.pad).to(self.places.dtype)  # (n, context)
        x = self.tokens(text) + self.places[: text.shape[1]]
        block = (1.0 - real)[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, block)
        weight = real[:, :, None]
        mean = (self.norm(x) * weight).sum(1) / (weight.sum(1) + 0.1)
        bag = (self.words(text) * weight).sum(1) / (weight.sum(1) + 0.1).sqrt()
        vectors: Tensor = bag + self.out(mean)
        return vectors


class Layer(nn.Module):
    """One pre-norm transformer layer, written out so that it exports to plain MatMul and Softmax."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))

    def forward(self, x: Tensor, block: Tensor) -> Tensor:
        n, length, width = x.shape
        q, k, v = self.qkv(self.first(x)).reshape(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5 + block).softmax(-1)
        x = x + self.proj((attention @ v).transpose(1, 2).reshape(n, length, width))
        made: Tensor = x + self.mlp(self.second(x))
        return made
