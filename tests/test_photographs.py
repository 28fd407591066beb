"""On real photographs with human captions: the road loses nothing between a caption and its picture."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from bench_captions import measure


@pytest.mark.slow
def test_a_human_caption_finds_its_photograph_and_fusion_costs_full_text_next_to_nothing() -> None:
    results = measure("pocket")
    assert results["hybrid"]["n"] >= 395
    assert results["hybrid"]["recall@5"] >= 0.95
    # its own caption is indexed, so words alone are right in 99 of 100; a picture can only get in between
    assert results["hybrid"]["mrr"] >= results["text"]["mrr"] - 0.005
    assert results["vector"]["recall@5"] > 3 * 5 / 86, "the encoder sees something: chance is 5 of 86"
