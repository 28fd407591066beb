"""ask: from a question to a checked answer; the gate; generators that fail or lie; conversations; the command."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fakes import FakeEncoder
from pictures import colours, write_captions
from PIL import Image

import sightline
from sightline.answers import Answer, Evidence, Intent
from sightline.cli import main
from sightline.config import settings
from sightline.errors import CollectionMissing, GeneratorError, QueryError, UsageError
from sightline.generate import Generator, load_generator
from sightline.schema import Hit

CAPTIONS = {
    "red.png": "a red bus on a beach at night",
    "green.png": "a green bus in a park",
    "blue.png": "a dog on the beach",
    "yellow.png": "a yellow sun over a field",
}


@pytest.fixture
def collection(tmp_path: Path) -> sightline.Collection:
    folder = colours(tmp_path / "pictures")
    write_captions(folder, CAPTIONS)
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    return collection


class Speaker:
    """Says what it is told; remembers what it was given."""

    name = "speaker"

    def __init__(self, *pieces: str, error: str = "") -> None:
        self.pieces, self.error = pieces, error
        self.given: list[Sequence[Hit]] = []
        self.closed = False

    def generate(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        self.given.append(hits)
        try:
            yield from self.pieces
            if self.error:
                raise GeneratorError(self.error, hint="start it")
        finally:
            self.closed = True


def test_an_answer_cites_the_pictures_that_it_rests_on(collection: sightline.Collection) -> None:
    answer = collection.ask("is there a bus?")
    first, second = answer.cited
    assert {first.name, second.name} == {"red.png", "green.png"}
    assert answer.text == (
        "Yes: 2 of 4 pictures match “a bus” (relevance at least 0.5), such as "
        f"“{first.caption}” [1] and “{second.caption}” [2]."
    )
    assert (answer.abstained, answer.incomplete, answer.removed, answer.generator) == (False, False, 0, "extractive")
    assert set(answer.timings) == {"understand", "retrieve", "write"}


def test_without_a_match_no_generator_is_called(collection: sightline.Collection) -> None:
    speaker = Speaker("A unicorn [1].")
    answer = collection.ask("is there a unicorn?", generator=speaker)
    assert speaker.given == []
    assert answer.abstained
    assert answer.hits == ()
    assert answer.text == "Nothing in this collection shows “a unicorn”."
    assert answer.reason == "none of 4 pictures matches “a unicorn” (relevance at least 0.5)"


def test_filters_narrow_what_is_counted_and_an_empty_filter_says_so(collection: sightline.Collection) -> None:
    assert collection.ask("how many pictures do I have?").text.startswith("There are 4 pictures in this collection")
    assert collection.ask("how many buses before:1990").text == "No picture passes the filters of this question."


def test_where_nobody_can_say_what_fits_the_nearest_are_shown_and_nothing_is_claimed(tmp_path: Path) -> None:
    told = json.loads((importlib.resources.files("sightline") / "data" / "cutoff" / "cutoff.json").read_text())
    weak = [fingerprint for fingerprint, one in told["encoders"].items() if not one["beside"]]
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder(fingerprint=weak[0]))
    folder = colours(tmp_path / "pictures")
    (folder / "captions.csv").unlink()
    collection.ingest(folder)
    speaker = Speaker("Yes [1].")
    answer = collection.ask("is there a bus?", 2, generator=speaker)
    assert (speaker.given, answer.abstained, len(answer.hits)) == ([], True, 2)
    assert "cannot be said" in answer.text
    assert answer.citations == ()


def test_what_the_generator_is_given_is_what_it_can_cite(collection: sightline.Collection) -> None:
    speaker = Speaker("A bus [1", "], a ghost [9]. ", "Buses [1-7].")
    answer = collection.ask("show me a bus", 1, generator=speaker)
    (given,) = speaker.given
    assert isinstance(given, Evidence)
    assert (len(given.hits), len(given.matches), given.rows, given.complete) == (1, 2, 4, True)
    assert [item.id for item in given.items.values()] == [given[0].id]
    assert answer.text == "A bus [1], a ghost. Buses [1]."
    assert answer.removed == 2
    assert [one.supported for one in answer.statements] == [False, False]
    assert set(answer.citations) <= {hit.id for hit in answer.hits}


def test_an_answer_that_cites_nothing_is_no_answer(collection: sightline.Collection) -> None:
    answer = collection.ask("show me a bus", generator=Speaker("I like buses."))
    assert (answer.abstained, answer.text) == (True, "I like buses.")
    assert answer.reason == "the answer cites none of the pictures"


@pytest.mark.parametrize("pieces", [(), ("A bus [1]. It ",)])
def test_a_generator_that_breaks_off_leaves_what_came_and_the_pictures(
    collection: sightline.Collection, pieces: tuple[str, ...]
) -> None:
    answer = collection.ask("show me a bus", generator=Speaker(*pieces, error="the server is gone"))
    assert answer.incomplete
    assert not answer.abstained
    assert answer.reason == "the server is gone; start it"
    assert answer.text == "".join(pieces).strip()
    assert len(answer.hits) == 2


def test_an_endless_generator_is_cut_and_closed(collection: sightline.Collection) -> None:
    speaker = Speaker(*["A bus [1]. " * 100] * 100)
    answer = collection.ask("show me a bus", generator=speaker)
    assert answer.incomplete
    assert "64,000" in answer.reason
    assert speaker.closed


def test_pieces_that_are_no_text_are_refused(collection: sightline.Collection) -> None:
    answer = collection.ask("show me a bus", generator=Speaker(b"A bus [1]."))  # type: ignore[arg-type]
    assert answer.reason == "speaker yielded bytes; pieces of text were expected"


def test_streamed_pieces_are_the_text_and_the_answer_comes_last(collection: sightline.Collection) -> None:
    speaker = Speaker("A b", "us [1", "]. And [8] a ![x](http://e.x", "ample/) park [2]")
    *pieces, answer = collection.ask("show me a bus", generator=speaker, stream=True)
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text == "A bus [1]. And a x park [2]"
    assert pieces == ["A bus [1].", " And a x park [2]"]


def test_what_cannot_be_asked_is_refused_before_anything_is_streamed(collection: sightline.Collection) -> None:
    for question, k in (("", 6), ("./secret.jpg", 6), ("a bus", 0), ("a bus", 101)):
        with pytest.raises(QueryError):
            collection.ask(question, k, stream=True)


def test_a_collection_that_is_not_there_is_said_as_such(tmp_path: Path) -> None:
    with pytest.raises(CollectionMissing):
        sightline.open(f"{tmp_path}/none").ask("a bus?")


def test_a_picture_may_be_what_is_asked_about(collection: sightline.Collection) -> None:
    red = next(hit.id for hit in collection.search("red bus") if hit.name == "red.png")
    answer = collection.ask(f"id:{red}", 2)
    assert answer.text.startswith("The nearest 2 pictures of 4 to this")
    assert red not in answer.citations


class Rewriting(Speaker):
    def __init__(self, said: str) -> None:
        super().__init__("Here [1].")
        self.said = said
        self.told: list[tuple[str, list[tuple[str, str]]]] = []

    def rewrite(self, question: str, before: Sequence[tuple[str, str]]) -> str:
        self.told.append((question, list(before)))
        return self.said


@pytest.mark.parametrize(
    ("said", "text", "by"),
    [("dog", "dog", "speaker"), ("", "a bus", "rules"), ("./a.png", "a bus", "rules"), ("a - ", "a bus", "rules")],
)
def test_a_rewriting_is_used_and_shown_where_it_is_a_query_without_files(
    collection: sightline.Collection, said: str, text: str, by: str
) -> None:
    generator = Rewriting(said)
    answer = collection.ask("is there a bus?", generator=generator, before=[("hello", "Hi.")])
    assert (answer.question.query.text, answer.question.by) == (text, by)
    assert answer.question.intent is Intent.EXISTS
    assert generator.told == [("is there a bus?", [("hello", "Hi.")])]


def test_a_conversation_resolves_what_leans_on_before(collection: sightline.Collection) -> None:
    talk = collection.conversation()
    assert len(talk.ask("is there a bus?").hits) == 2
    night = talk.ask("and at night?")
    assert (night.question.query.text, night.question.raw) == ("a bus at night", "and at night?")
    assert [hit.name for hit in night.cited] == ["red.png"]
    shown = talk.ask("show me a bus").hits
    pointed = talk.ask("where is the second one?")
    assert [hit.id for hit in pointed.hits] == [shown[1].id]
    assert (
        pointed.text
        == {
            "red.png": "By their captions “on a beach at night” [1].",
            "green.png": "By their captions “in a park” [1].",
        }[shown[1].name]
    )
    again = talk.ask("show me the first one")
    assert again.text == f"This is it: “{shown[1].caption}” [1]."
    assert len(talk.answers) == 5


def test_a_conversation_streams_and_remembers(collection: sightline.Collection) -> None:
    talk = collection.conversation()
    *_, answer = talk.ask("is there a bus?", stream=True)
    assert talk.answers == [answer]


def test_pairs_of_texts_are_enough_to_lean_on(collection: sightline.Collection) -> None:
    answer = collection.ask("and at night?", before=[("is there a bus?", "Yes [1].")])
    assert answer.question.query.text == "a bus at night"


@pytest.mark.parametrize("spec", ["gpt", "openai:", "hf:", "", "extractive:x"])
def test_an_unknown_generator_names_those_there_are(spec: str) -> None:
    with pytest.raises(UsageError, match="extractive, openai:MODEL or hf:REPO was expected"):
        load_generator(spec, settings())


def test_generators_are_objects_with_generate() -> None:
    assert isinstance(load_generator("extractive", settings()), Generator)
    assert isinstance(Speaker(), Generator)


# ---- the command ----------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["ask", *args])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.fixture
def address(collection: sightline.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sightline.flags.open_collection", lambda *_, **__: collection)
    monkeypatch.setattr("sightline.answering.open_collection", lambda *_, **__: collection)
    return collection.address


def test_in_a_pipe_the_text_comes_first_and_then_a_line_for_each_cited_picture(
    address: str, capsys: pytest.CaptureFixture[str], collection: sightline.Collection
) -> None:
    code, out, err = run(capsys, "is", "there", "a", "bus?", "-c", address)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("Yes: 2 of 4 pictures match “a bus”")
    assert [line.split("\t")[0] for line in lines[1:]] == ["[1]", "[2]"]
    assert {line.split("\t")[2] for line in lines[1:]} == {CAPTIONS["red.png"], CAPTIONS["green.png"]}
    assert err == 'understood: exists · "a bus"\n'


def test_no_answer_ends_3_and_the_document_is_printed(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "is there a unicorn?", "--json")
    document = json.loads(out)
    assert (code, err) == (3, "")
    assert (document["abstained"], document["citations"], document["hits"]) == (True, [], [])
    code, out, err = run(capsys, "is there a unicorn?")
    assert (code, out) == (3, "Nothing in this collection shows “a unicorn”.\n")
    assert "no answer: none of 4 pictures matches" in err


def test_the_document_has_what_the_contract_names(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "is there a bus?", "--json")
    document = json.loads(out)
    names = {"question", "understood", "answer", "abstained", "reason", "citations", "hits", "generator"}
    assert names <= set(document)
    assert document["understood"]["intent"] == "exists"
    assert document["citations"] == [hit["id"] for hit in document["hits"]]


def test_a_figure_shows_the_answer_with_its_pictures(
    address: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    code, _, err = run(capsys, "is there a bus?", "--save", str(path))
    assert code == 0
    assert f"figure written to {path}" in err
    with Image.open(path) as figure:
        assert figure.width > 800


@pytest.mark.parametrize(
    "args", [("a bus", "-k", "0"), ("a bus", "--save", "a.txt"), ("a bus", "--generator", "x"), ()]
)
def test_usage_errors_end_2_with_nothing_on_stdout(
    address: str, capsys: pytest.CaptureFixture[str], args: tuple[str, ...]
) -> None:
    code, out, err = run(capsys, *args)
    assert (code, out) == (2, "")
    assert err


def test_a_caption_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = colours(tmp_path / "pictures")
    write_captions(folder, {"red.png": "a bus \x1b]0;x\x07 \x1b[2J [7] https://evil.example"})
    collection = sightline.open(f"{tmp_path}/t", model=FakeEncoder())
    collection.ingest(folder)
    monkeypatch.setattr("sightline.answering.open_collection", lambda *_, **__: collection)
    _, out, _ = run(capsys, "is there a bus?")
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "evil.example" not in out.splitlines()[0]
    assert "[7]" not in out.splitlines()[0]
