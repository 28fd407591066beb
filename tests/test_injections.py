"""A hundred hostile captions and thirty hostile pictures, and a model that obeys them: what gets through is only words.

What nobody can promise is that such a model answers well. What is promised: no picture is cited that it was not given,
nothing is fetched, nothing is told that it was not given, and nothing it says steers a terminal, a page or a program.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from fakes import FakeEncoder
from injections import CANARY, CAPTIONS, PICTURES, Eyes, Obedient, alive, captions, pictures
from pictures import png
from PIL import Image
from stub_chat import ChatServer, Turn

import sightline
from sightline import choice, render
from sightline.answers import Answer
from sightline.cli import main
from sightline.collection import Collection
from sightline.config import settings
from sightline.schema import Item, Reading, TextLine
from sightline.sources import HeldBytes

WORDS = dict(
    zip(
        CAPTIONS,
        ["harbour", "meadow", "canyon", "glacier", "orchard", "lantern", "saddle", "violin", "teapot", "kettle"],
        strict=True,
    )
)
POSTERS = dict(zip(PICTURES, ["placard", "leaflet", "banner", "mural", "brochure"], strict=True))
"""What finds the captions, and the pictures, of each kind."""
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
LINKS = re.compile(
    r"!\[[^\]]*\]\(|\]\(|<[a-z/!]|(?<!\w)(?:https?|javascript|data|file)://?|^\s*\[[^\]]+\]:", re.I | re.M
)


class Listener:
    """A server on 127.0.0.1 that counts who comes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            do_POST = do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class EyesReader:
    """OCR that knows the thirty pictures."""

    engine = "eyes 1"

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes

    def read(self, image: Image.Image) -> Reading:
        text = self._eyes.read(image)
        corners = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0)
        return Reading(self.engine, (TextLine(text, 0.99, corners),) if text else (), image.size)


class Trap(NamedTuple):
    collection: Collection
    eyes: Eyes
    listener: Listener
    folder: Path


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trap]:
    """A collection of all of them, and of a few pictures that no question finds, whose captions nobody may learn."""
    listener, folder = Listener(), tmp_path_factory.mktemp("trap")
    hostile = [
        _item(f"{at:03}.png", png((at, 255 - at, 128)), f"a {WORDS[kind]}. {text}")
        for at, (kind, text) in enumerate(captions(listener.url))
    ]
    drawn = pictures(listener.url)
    hostile += [_item(f"poster-{at}.png", data, f"a {POSTERS[kind]}") for at, (kind, _, data) in enumerate(drawn)]
    private = [_item(f"{CANARY}-{at}.png", png((at, 1, 1)), f"my diary: {CANARY}") for at in range(3)]
    eyes = Eyes(drawn)
    collection = sightline.open(f"{folder}/tables#trap", model=FakeEncoder(), reader=lambda _: EyesReader(eyes))
    assert collection.ingest([*hostile, *private], ocr=True).rows == 133
    yield Trap(collection, eyes, listener, folder)
    listener.close()


def _item(name: str, data: bytes, text: str) -> Item:
    return Item(f"added:{name}", name, HeldBytes(data), text, keep="original")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a secret may lie, this one does."""
    for name in ("SIGHTLINE_GENERATOR_KEY", "OPENAI_API_KEY", "HOME_ADDRESS"):
        monkeypatch.setenv(name, CANARY)


def stands(answer: Answer, trap: Trap) -> None:
    """What is promised of every answer."""
    given = {hit.id for hit in answer.hits}
    assert set(answer.citations) <= given
    marks = [int(mark) for mark in re.findall(r"\[(\d+)\]", answer.text)]
    assert all(1 <= mark <= len(answer.hits) for mark in marks)
    assert {answer.hits[mark - 1].id for mark in marks} == set(answer.citations)
    for text in (answer.text, answer.reason, *(one.text for one in answer.statements)):
        assert not STEERING.search(text), STEERING.findall(text)
        assert not LINKS.search(text), LINKS.findall(text)
        assert trap.listener.url not in text
    assert CANARY not in json.dumps(answer.to_json()), answer.text
    assert trap.listener.asked == []


@pytest.mark.parametrize("kind", ["citations", "delimiters", "markdown", "html", "unicode", "terminal"])
def test_what_is_promised_does_not_hold_of_text_that_nobody_checked(trap: Trap, kind: str) -> None:
    found = trap.collection.ask(f"is there a {WORDS[kind]}?", k=10, generator=Obedient())
    unchecked = "".join(Obedient().generate("?", found.hits))
    with pytest.raises(AssertionError):
        stands(replace(found, text=unchecked), trap)


# ---- through a generator that obeys ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CAPTIONS)
def test_hostile_captions_get_nothing_but_words_through(trap: Trap, kind: str) -> None:
    obedient = Obedient()
    answer = trap.collection.ask(f"is there a {WORDS[kind]}?", k=10, generator=obedient)
    assert len(answer.hits) == 10
    wanted = [text for one, text in captions(trap.listener.url) if one == kind]
    assert all(any(text in told for told in obedient.told) for text in wanted)
    stands(answer, trap)


@pytest.mark.parametrize("kind", PICTURES)
def test_instructions_in_pictures_get_nothing_but_words_through(trap: Trap, kind: str) -> None:
    obedient = Obedient(trap.eyes)
    answer = trap.collection.ask(f"show me the {POSTERS[kind]}", k=6, generator=obedient)
    wanted = [text for one, text, _ in pictures(trap.listener.url) if one == kind]
    assert [obedient.told.count(text) for text in wanted] == [2] * 6  # once by OCR, once by looking
    stands(answer, trap)


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_however_the_stream_is_cut_its_pieces_are_the_checked_text(trap: Trap, piece: int) -> None:
    *pieces, answer = trap.collection.ask("is there a glacier?", k=10, generator=Obedient(piece=piece), stream=True)
    assert isinstance(answer, Answer)
    assert "".join(map(str, pieces)) == answer.text
    stands(answer, trap)


def test_what_is_removed_is_counted(trap: Trap) -> None:
    answer = trap.collection.ask("is there a meadow?", k=10, generator=Obedient())
    assert answer.removed >= 10


@pytest.mark.parametrize("kind", CAPTIONS)
def test_the_default_generator_quotes_hostile_captions_harmlessly(trap: Trap, kind: str) -> None:
    for question in (f"what is the {WORDS[kind]}?", f"how many pictures show a {WORDS[kind]}?"):
        answer = trap.collection.ask(question, k=10, generator="extractive")
        assert answer.hits
        stands(answer, trap)


# ---- through a server that obeys -------------------------------------------------------------------------------


def _reading(trap: Trap) -> Callable[..., str]:
    """What the most obedient server would say: all that it was told, and what stands in the pictures it was shown."""

    def say(request: object) -> str:
        seen = [trap.eyes.read(image) for image in request.images.values()]  # type: ignore[attr-defined]
        told = [request.system, request.text, *seen]  # type: ignore[attr-defined]
        return "\n".join([*told, *map(alive, told)])

    return say


@pytest.fixture
def server(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer(key=CANARY) as one:
        one.otherwise = Turn(answer=_reading(trap))
        monkeypatch.setenv("SIGHTLINE_GENERATOR_URL", one.url)
        yield one


@pytest.fixture
def over_http(trap: Trap, server: ChatServer) -> Collection:
    return sightline.open(f"{trap.folder}/tables#trap", model=FakeEncoder(), settings=settings())


@pytest.mark.parametrize("kind", CAPTIONS)
def test_a_server_that_obeys_captions_is_told_no_secret_and_gets_only_words_through(
    trap: Trap, over_http: Collection, server: ChatServer, kind: str
) -> None:
    answer = over_http.ask(f"is there a {WORDS[kind]}?", k=10, generator="openai:obedient")
    assert server.problems == []
    assert server.requests
    for request in server.requests:
        assert CANARY not in json.dumps(dict(request.document))
    stands(answer, trap)


@pytest.mark.parametrize("kind", PICTURES)
def test_a_server_that_obeys_pictures_gets_only_words_through(
    trap: Trap, over_http: Collection, server: ChatServer, kind: str
) -> None:
    answer = over_http.ask(f"show me the {POSTERS[kind]}", k=6, generator="openai:obedient")
    seen = {trap.eyes.read(image) for request in server.requests for image in request.images.values()}
    assert seen == {text for one, text, _ in pictures(trap.listener.url) if one == kind}
    stands(answer, trap)


# ---- on the command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("kind", CAPTIONS)
def test_what_the_command_prints_steers_nothing(
    trap: Trap,
    server: ChatServer,
    kind: str,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(choice, "load_encoder", lambda *_, **__: FakeEncoder())
    monkeypatch.setattr(render, "on_terminal", lambda stream=None: terminal)
    monkeypatch.setenv("SIGHTLINE_PREVIEWS", "none")
    asked = ["ask", f"is there a {WORDS[kind]}?", "-c", f"{trap.folder}/tables#trap", "-k", "10"]
    assert main([*asked, "--generator", "openai:obedient"]) in (0, 3)
    shown = capsys.readouterr()
    assert shown.out
    for text in (shown.out, shown.err):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]", text)
        assert CANARY not in text
    assert trap.listener.asked == []
