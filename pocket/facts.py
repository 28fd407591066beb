"""Where each attribute of street scenes lies among the vectors, learnt for itself and not by way of a sentence.

The teacher's sentence vectors hardly tell "an oncoming bus" from "a bus", and no map of them finds what the pictures'
features know: on held-out scenes the best map found 0.78 (precision@5 of 140 attributes) where a vector of its own for
each attribute found 0.90 on the same features (docs/LOG.md). So a question is the sum of its attributes' vectors; its
words are the text tower's business.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

MOST_NEEDS = 8


class Facts(nn.Module):
    """`start` (attributes, dim): where the attributes lie at first, rows in the order of `Scenes.attributes`.

    `either` names the columns behind them: any of several attributes (Scenes.either).
    """

    def __init__(self, start: Tensor, either: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.table = nn.Parameter(start.clone())
        self.often = nn.Parameter(torch.full((len(start),), -1.5))  # how often an attribute is true
        self.more = nn.Parameter(torch.zeros(MOST_NEEDS))  # and several together
        self._either = [list(columns) for columns in either]

    def forward(self, needs: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Unit vectors (q, dim) of questions, and what is added to their logits (q,); `needs` as of Scenes.needs."""
        table, often = self._columns()
        columns = torch.from_numpy(needs).to(table.device)
        many = (columns < len(table) - 1).sum(1).clamp(max=MOST_NEEDS - 1)  # the last column is always true
        return F.normalize(table[columns].sum(1), dim=-1), often[columns].sum(1) + self.more[many]

    def singles(self) -> tuple[Tensor, Tensor]:
        """The same of each attribute alone."""
        return F.normalize(self.table, dim=-1), self.often

    def _columns(self) -> tuple[Tensor, Tensor]:
        """Of attributes, of any of several, and of what is always true: as the columns of Scenes.seen."""
        tables: list[Tensor] = [self.table]
        often: list[Tensor] = [self.often]
        for columns in self._either:
            tables.append(self.table[columns].mean(0, keepdim=True))
            often.append(self.often[columns].mean(0, keepdim=True))
        tables.append(self.table.new_zeros(1, self.table.shape[1]))
        often.append(self.often.new_zeros(1))
        return torch.cat(tables), torch.cat(often)
