"""fuse(): worths, shares and order, computed by hand."""

from __future__ import annotations

import pytest

from sightline.fusion import Voice, fuse
from sightline.rows import Found
from sightline.schema import Modality

VOICES = {"vector": Voice(1.0), "text": Voice(4.0, relative=True)}


def row(ident: str, score: float, cosine: float | None = None) -> Found:
    return Found(ident, f"file:///{ident}", ident, "", Modality.IMAGE, None, score, cosine)


def test_worths_of_all_channels_are_added_and_the_shares_are_parts_of_the_sum() -> None:
    by_vector = [row("a", 0.3, 0.3), row("b", 0.2, 0.2)]
    by_text = [row("b", 8.0, 0.2), row("c", 2.0, 0.1)]
    fused = fuse({"vector": by_vector, "text": by_text}, VOICES)
    assert [one.id for one in fused] == ["b", "a", "c"]
    b, a, c = fused
    assert b.fused == pytest.approx(1 / 62 + 4 / 61)
    assert (b.why["vector"].rank, b.why["text"].rank, b.why["text"].score) == (2, 1, 8.0)
    assert b.why["vector"].share == pytest.approx((1 / 62) / (1 / 62 + 4 / 61))
    assert c.fused == pytest.approx(4 * (2 / 8) / 62), "a quarter of the best caption's score counts a quarter"
    assert {name: one.share for name, one in a.why.items()} == {"vector": 1.0}
    assert all(sum(channel.share for channel in one.why.values()) == pytest.approx(1) for one in fused)


def test_a_row_that_only_its_caption_found_has_its_own_cosine() -> None:
    fused = fuse({"vector": [], "text": [row("a", 5.0, -0.1), row("b", 5.0)]}, VOICES)
    assert {one.id: one.score for one in fused} == {"a": -0.1, "b": 0.0}


def test_equal_sums_stand_by_cosine_and_then_by_id() -> None:
    one_each = {"vector": [row("a", 0.1, 0.1)], "other": [row("b", 0.9, 0.9)], "third": [row("c", 0.1, 0.1)]}
    assert [one.id for one in fuse(one_each, dict.fromkeys(one_each, Voice(1.0)))] == ["b", "a", "c"]


def test_no_channel_and_empty_channels_give_no_candidate() -> None:
    assert fuse({}) == []
    assert fuse({"vector": [], "text": []}) == []
