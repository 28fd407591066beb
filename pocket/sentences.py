"""Stage 3: our own tokenizer and the text tower, which learns where every text belongs (ImageStage.targets)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional as F

from pocket.towers import TextTower
from pocket.words import misspell
from sightline.train import contrastive_loss

BATCH, CHUNK = 384, 128
KINDS = {"classes": 0.15, "questions": 0.3, "short": 0.2, "any": 0.25, "at large": 0.1}
"""Share of a batch: names of classes, questions about street scenes, texts of six words at most, all about the
pictures, words at large.
"""
MISSPELT, JOINED = 0.25, 0.05
"""Shares of the texts with a typing error in one of their longer words, and with a space left out."""


def train_tokenizer(texts: list[str], vocab: int) -> Tokenizer:
    """WordPiece over our own texts; lower case, no accents, no punctuation; unknown words fall apart into letters."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=64))  # noqa: S106
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\p{L}\p{N}]+"), "removed")
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab, min_frequency=3, special_tokens=["[PAD]", "[UNK]"],
        initial_alphabet=[*letters, *(f"##{letter}" for letter in letters)], limit_alphabet=80, show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class TextStage:
    """Trains `tower` to say where each of the teacher's texts belongs: `targets` (n, dim), unit rows.

    `kinds` names the rows of "classes", "questions" and "at large" among the texts.
    """

    def __init__(
        self, texts: list[str], targets: Tensor, tokenizer: Tokenizer, *, kinds: Mapping[str, Sequence[int]],
        context: int, seed: int,
    ) -> None:  # fmt: skip
        pad = tokenizer.token_to_id("[PAD]") or 0
        self.tower = TextTower(targets.shape[1], vocab=tokenizer.get_vocab_size(), context=context, pad=pad)
        self.cosine = 0.0  # running mean of the cosine to the target
        self._texts, self._tokenizer, self._context, self._seed = texts, tokenizer, context, seed
        rows = sorted(set(range(len(texts))).difference(kinds["at large"])) or list(range(len(texts)))
        self._kinds = {"any": rows, "short": [row for row in rows if len(texts[row].split()) <= 6], **kinds}
        self._targets = targets
        self.device = targets.device

    def start_from_words(self, ridge: float = 3.0) -> float:
        """Sets `tower.words` to the least-squares bag of words; returns its mean cosine to the targets."""
        size = self._tokenizer.get_vocab_size()
        gram, right = ridge * torch.eye(size), torch.zeros(size, self._targets.shape[1])
        for start in range(0, len(self._texts), 4096):
            rows = slice(start, start + 4096)
            bags = self._bags(self._texts[rows])
            across = bags.T.to_sparse()
            gram += torch.sparse.mm(across, bags)
            right += torch.sparse.mm(across, self._targets[rows])
        solved = torch.linalg.solve(gram, right)  # (vocabulary, dim)
        with torch.no_grad():
            self.tower.words.weight.copy_(solved)
        made = self._bags(self._texts[:4096]) @ solved
        return float(F.cosine_similarity(made, self._targets[:4096]).mean())

    def _bags(self, texts: list[str]) -> Tensor:
        """Token counts over the root of the length, as the tower weighs them: (texts, vocabulary)."""
        found = [encoding.ids[: self._context] for encoding in self._tokenizer.encode_batch(texts)]
        bags = torch.zeros(len(found), self._tokenizer.get_vocab_size())
        for bag, ids in zip(bags, found, strict=True):
            bag.index_add_(0, torch.tensor(ids, dtype=torch.long), torch.full((len(ids),), (len(ids) + 0.1) ** -0.5))
        return bags

    def loss(self, step: int) -> Tensor:
        """Cosine to the target, and nearer to it than to other texts' targets."""
        rng = random.Random(self._seed * 1_000_003 + step)
        drawn = rng.choices(list(KINDS), list(KINDS.values()), k=BATCH)
        rows = [rng.choice(self._kinds[kind] or self._kinds["any"]) for kind in drawn]
        tokens = [self._tokenizer.encode(self._text(row, rng)).ids[: self._context] or [0] for row in rows]
        order = sorted(range(BATCH), key=lambda at: len(tokens[at]))
        vectors = []
        for start in range(0, BATCH, CHUNK):  # texts of like length together: less padding
            part = [tokens[at] for at in order[start : start + CHUNK]]
            longest = max(map(len, part))
            padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in part])
            vectors.append(self.tower(padded.to(self._targets.device)))
        made, target = torch.cat(vectors), self._targets[[rows[at] for at in order]]
        cosine = F.cosine_similarity(made, target).mean()
        self.cosine += 0.02 * (float(cosine.detach()) - self.cosine)
        return 4 * (1 - cosine) + 0.25 * contrastive_loss(made, target, scale=20.0, same=target @ target.T > 0.95)

    def _text(self, row: int, rng: random.Random) -> str:
        words = self._texts[row].split()
        chance = rng.random()
        if chance < MISSPELT:
            at = rng.choice([at for at, word in enumerate(words) if len(word) > 3] or [0])
            words[at] = misspell(words[at], rng)
        elif chance < MISSPELT + JOINED and len(words) > 2:
            at = rng.randrange(1, len(words) - 1)  # not the article
            words[at : at + 2] = ["".join(words[at : at + 2])]
        return " ".join(words)
