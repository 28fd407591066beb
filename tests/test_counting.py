"""counting: pictures count that show a thing though their captions do not say so, where the encoder can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEncoder
from pictures import paint, write_captions

import sightline
from sightline import calibrate
from sightline.calibrate import Calibration, Head
from sightline.facts import parts

SEEN = Head(-4.0, {"pull": 1.0})
"""Of this encoder's vectors: red pictures show red, others do not."""

PICTURES = {
    "said.png": ((255, 0, 0), "a red wall"),
    "unsaid.png": ((250, 0, 0), "a wall"),
    "also.png": ((245, 0, 0), "an old red wall"),
    "blue.png": ((0, 0, 255), "a blue wall"),
    "both.png": ((200, 0, 200), "a door"),
}


@pytest.fixture
def collection(tmp_path: Path) -> sightline.Collection:
    for name, (colour, _) in PICTURES.items():
        paint(tmp_path / "pictures" / name, colour)
    write_captions(tmp_path / "pictures", {name: caption for name, (_, caption) in PICTURES.items()})
    found = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    found.ingest(tmp_path / "pictures")
    return found


def can_tell(monkeypatch: pytest.MonkeyPatch, *, counted_from: float = 0.5) -> None:
    usual = calibrate.calibration()
    told = replace(usual, beside=False, seen=SEEN, counted_from=counted_from)
    monkeypatch.setattr(calibrate, "calibration", lambda fingerprint="": told)


def captions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told = replace(calibrate.calibration(), beside=False)
    monkeypatch.setattr(calibrate, "calibration", lambda fingerprint="": told)


def test_a_count_adds_what_captions_leave_out(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_tell(monkeypatch)
    answer = collection.ask("how many pictures show a red wall?")
    assert "4 of 5 pictures show “a red wall”: the captions of 2 say so [1][2], 2 more look like it." in answer.text


def test_without_knowing_that_the_encoder_can_tell_captions_alone_count(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions_alone(monkeypatch)
    assert "2 of 5 pictures match" in collection.ask("how many pictures show a red wall?").text


def test_from_where_pictures_are_counted_is_the_encoders(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_tell(monkeypatch, counted_from=1.1)  # nothing is that likely
    assert "2 of 5 pictures match" in collection.ask("how many pictures show a red wall?").text


def test_of_two_things_a_picture_has_to_show_both(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_tell(monkeypatch)
    collection.add(_picture((200, 0, 180)), "a red gate and a blue gate")
    text = collection.ask("how many pictures show a red gate and a blue gate?").text
    assert "2 of 6 pictures show “a red gate and a blue gate”: the captions of 1 say so [1], 1 more looks" in text


def test_what_captions_do_not_bear_out_is_not_counted(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_tell(monkeypatch)
    collection.add(_picture((255, 10, 0)), "a red fence")  # to this encoder every red picture shows a red fence
    text = collection.ask("how many pictures show a red fence?").text
    assert "look" not in text
    assert "1 of 6 pictures" in text


def test_a_thing_that_captions_give_another_colour_is_not_counted(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_tell(monkeypatch)
    collection.add(_picture((250, 5, 0)), "a green wall")  # red to the encoder
    assert (
        "4 of 6 pictures show “a red wall”: the captions of 2 say so"
        in collection.ask("how many pictures show a red wall?").text
    )


def test_a_number_needs_nothing_that_only_the_table_has(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.ask("how many pictures show a red wall?")  # the snapshot is up to date now
    monkeypatch.setattr(type(collection._store.rows), "read", lambda *args: pytest.fail("asked LanceDB"))
    assert collection.ask("how many pictures show a red wall?").citations


def test_filters_hold_for_what_is_seen(collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    can_tell(monkeypatch)
    found = collection.ask("how many pictures show a red wall? text:wall")
    assert "3 of 4 pictures show “a red wall”" in found.text


def test_other_questions_do_not_ask_the_vectors_alone(
    collection: sightline.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_tell(monkeypatch)
    assert "2 of 5 pictures match" in collection.ask("is there a red wall?").text


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("a red car at night", ["red car", "night"]),
        ("a dog and a person", ["dog", "person"]),
        ("a stop sign", ["stop sign"]),
    ],
)
def test_what_is_asked_for_in_one_has_parts(asked: str, found: list[str]) -> None:
    assert parts(asked) == found


def test_the_bundled_encoder_is_known_to_tell() -> None:
    own = [Calibration.from_json(told) for told in calibrate._fitted()["encoders"].values()]
    assert all(one.seen is not None and 0 < one.counted_from < 1 for one in own)
    assert calibrate.calibration("unknown").seen is None


def _picture(colour: tuple[int, int, int]) -> bytes:
    import io

    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(made, "PNG")
    return made.getvalue()
