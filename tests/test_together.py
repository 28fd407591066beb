"""Queries of several threads share forward passes, and nobody notices but the clock."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from wires import wait_for

from sightline.encoders import load_encoder
from sightline.encoders.together import Together
from sightline.schema import Vectors


class Gate:
    """An encoder that waits until it is let through, and remembers what it was given at once."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []
        self.open = threading.Event()
        self._encoder = FakeEncoder()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        self.passes.append(list(texts))
        assert self.open.wait(60)
        if any("bad" in text for text in texts):
            raise ValueError("bad")
        return self._encoder.encode_text(texts)


def test_a_lone_query_is_encoded_at_once_and_alone() -> None:
    gate = Gate()
    gate.open.set()
    vectors = Together(gate)(["red", "green"])
    assert gate.passes == [["red", "green"]]
    assert vectors[:, :2].tolist() == [[1, 0], [0, 1]]


def test_what_comes_during_a_pass_is_the_next_pass_and_each_gets_its_own() -> None:
    gate = Gate()
    together = Together(gate, most=4)
    texts = [f"{'red ' * number}green" for number in range(1, 8)]
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(together, ["blue"])
        wait_for(lambda: len(gate.passes) == 1)
        others = [threads.submit(together, [text]) for text in texts]
        wait_for(lambda: len(together._waiting) == len(texts))
        gate.open.set()
        assert first.result()[0, 2] == 1
        for number, other in enumerate(others, 1):
            red, green = other.result()[0, :2]
            assert red / green == pytest.approx(number)
    assert [len(texts) for texts in gate.passes] == [1, 4, 3]


def test_one_bad_text_is_the_fault_of_its_caller_alone() -> None:
    gate = Gate()
    together = Together(gate)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(together, ["blue"])
        wait_for(lambda: len(gate.passes) == 1)
        good = [threads.submit(together, ["red"]) for _ in range(3)]
        bad = threads.submit(together, ["bad"])
        wait_for(lambda: len(together._waiting) == 4)
        gate.open.set()
        assert all(one.result()[0, 0] == 1 for one in [*good])
        assert first.result()[0, 2] == 1
        with pytest.raises(ValueError, match="bad"):
            bad.result()
    assert together(["red"])[0, 0] == 1


def test_more_texts_than_fit_go_alone_and_none_at_all_is_fine() -> None:
    gate = Gate()
    gate.open.set()
    together = Together(gate, most=2)
    assert together(["red"] * 3).shape == (3, 8)
    assert together([]).shape == (0, 8)


def test_a_thousand_queries_of_many_threads_come_back_to_their_own() -> None:
    encoder = FakeEncoder()
    together = Together(encoder.encode_text, most=5)
    with ThreadPoolExecutor(24) as threads:
        texts = [f"{'red ' * (number % 9)}green" for number in range(1000)]
        for text, vector in zip(texts, threads.map(lambda text: together([text])[0], texts), strict=True):
            assert np.array_equal(vector, encoder.encode_text([text])[0])


def test_a_real_encoder_gives_the_same_in_company_as_alone(tiny_clip: Path) -> None:
    encoder = load_encoder(tiny_clip, models_dir=tiny_clip.parent, precision="f32")
    texts = [f"a road with {number} stop signs" for number in range(40)]
    alone = np.concatenate([encoder.encode_text([text]) for text in texts])
    with ThreadPoolExecutor(16) as threads:
        together = np.concatenate(list(threads.map(lambda text: encoder.encode_text([text]), texts)))
    assert (alone * together).sum(axis=1).min() > 0.99999
