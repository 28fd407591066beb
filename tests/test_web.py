"""The HTTP API: every route, what it answers, what it refuses, and what it never tells."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEncoder
from fastapi.testclient import TestClient
from hostile_strings import STRINGS
from PIL import Image
from wires import wait_for

from sightline.answers import Answer
from sightline.collection import Collection
from sightline.config import settings
from sightline.errors import CollectionDamaged, CollectionLocked, GeneratorError, QueryError, SightlineError
from sightline.schema import Item
from sightline.site import MOST_HITS
from sightline.sources import HeldBytes
from sightline.web import create_app
from sightline.wire import ItemDocument, Problem, RemovedDocument, SearchDocument, StatsDocument

ORIGIN = "http://127.0.0.1:7860"
NOBODY = "0" * 32
ALL = {"min_relevance": 0, "group": False}
CAPTIONS = {"red": "a red car", "green": "a green tree", "blue": "the blue sea", "yellow": "a yellow taxi"}
MAKER = 0x010F


def picture(colour: str | tuple[int, int, int], size: tuple[int, int] = (64, 48), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def photo_with_secrets() -> bytes:
    """A JPEG whose EXIF tells the camera's maker."""
    exif = Image.Exif()
    exif[MAKER] = "SECRETMAKER"
    out = io.BytesIO()
    Image.new("RGB", (300, 200), (10, 200, 30)).save(out, "JPEG", exif=exif, comment=b"SECRETCOMMENT")
    return out.getvalue()


def client_of(collection: Collection, **options: Any) -> TestClient:
    return TestClient(create_app(collection, **options), base_url=ORIGIN, raise_server_exceptions=False)


def new(folder: Path, **options: Any) -> Collection:
    return Collection(f"{folder}/tables#photos", model=FakeEncoder(), settings=settings(), **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hidden-place")


@pytest.fixture(scope="module")
def collection(folder: Path) -> Collection:
    """Four pictures indexed from a folder."""
    photos = folder / "photos"
    photos.mkdir()
    for colour, caption in CAPTIONS.items():
        (photos / f"{colour}.png").write_bytes(picture(colour))
        (photos / f"{colour}.txt").write_text(caption)
    found = new(folder)
    found.ingest(photos)
    return found


@pytest.fixture(scope="module")
def client(collection: Collection) -> Iterator[TestClient]:
    with client_of(collection, read_only=True) as client:
        wait_for(lambda: client.get("/healthz").status_code == 200)
        yield client


@pytest.fixture
def own(tmp_path: Path) -> Iterator[TestClient]:
    """A server of an empty collection that may be written to."""
    with client_of(new(tmp_path)) as client:
        yield client


def ids(client: TestClient, q: str = "red") -> list[str]:
    found = client.get("/api/search", params={"q": q, **ALL}).json()
    return [hit["id"] for hit in found["hits"]]


def add(client: TestClient, data: bytes, text: str = "", name: str = "a.png") -> dict[str, Any]:
    reply = client.post("/api/items", files={"image": (name, data)}, data={"text": text})
    assert reply.status_code == 201, reply.text
    return dict(ItemDocument.model_validate(reply.json()).model_dump())


def refused(reply: Any, status: int, error: str = "") -> dict[str, str]:
    assert reply.status_code == status, reply.text
    told: dict[str, str] = Problem.model_validate(reply.json()).model_dump()
    assert not error or told["error"] == error
    return told


# ---- search ---------------------------------------------------------------------------------------------------


def test_a_search_answers_with_the_documented_document(client: TestClient) -> None:
    reply = client.get("/api/search", params={"q": "red", "min_relevance": 0})
    found = SearchDocument.model_validate(reply.json())
    assert (reply.status_code, found.query, found.understood.text, found.offset, found.next_offset) == (
        200,
        "red",
        "red",
        0,
        None,
    )
    first = found.hits[0]
    assert (first.rank, first.name, first.text, first.score, first.width, first.height) == (
        1,
        "red.png",
        "a red car",
        1.0,
        64,
        48,
    )
    assert first.uri == f"/api/items/{first.id}"


def test_pages_follow_each_other_without_a_gap_or_a_double(client: TestClient) -> None:
    whole = ids(client)
    assert len(whole) == 4
    seen, offset = [], 0
    while offset is not None:
        page = client.get("/api/search", params={"q": "red", **ALL, "k": 3, "offset": offset}).json()
        seen += [hit["id"] for hit in page["hits"]]
        assert [hit["rank"] for hit in page["hits"]] == list(range(offset + 1, offset + 1 + len(page["hits"])))
        offset = page["next_offset"]
    assert seen == whole


def test_only_what_fits_is_shown_unless_all_is_asked_for(client: TestClient) -> None:
    assert client.get("/api/search", params={"q": "red"}).json()["cutoff"] == 0.5
    assert client.get("/api/search", params={"q": "red", "min_relevance": 0.9}).json()["cutoff"] == 0.9


def test_filters_and_ids_are_understood(client: TestClient) -> None:
    red = ids(client)[0]
    found = client.get("/api/search", params={"q": f"id:{red} - blue type:image", **ALL}).json()
    assert found["understood"]["terms"] == [{"item": red}, {"text": "blue", "weight": -1.0}]
    assert found["understood"]["filters"] == [{"type": "image"}]
    assert sorted(hit["name"] for hit in found["hits"]) == ["green.png", "yellow.png"]  # neither itself nor blue


def test_a_page_can_be_in_order_of_date_and_holds_the_same_hits(client: TestClient) -> None:
    params = {"q": "red", **ALL, "k": 2}
    by_score, by_date = (client.get("/api/search", params={**params, "sort": one}).json() for one in ("score", "date"))
    assert {hit["id"] for hit in by_score["hits"]} == {hit["id"] for hit in by_date["hits"]}
    assert len(by_date["hits"]) == 2
    dates = [hit["captured_at"] for hit in by_date["hits"]]
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize(
    "q",
    ["./a.jpg", "../a.jpg", "/etc/passwd", "~/x.jpg", "file:/etc/passwd", 'file:"/etc/passwd"', "file:///etc/passwd"],
)
@pytest.mark.parametrize("around", ["{}", "red + {}", "red - {}", "2:({})", "  {}", "after:2020 {}"])
def test_no_query_reads_a_file(client: TestClient, q: str, around: str) -> None:
    told = refused(client.get("/api/search", params={"q": around.format(q)}), 400, "QueryError")
    assert "no file is read here" in told["message"]
    with_picture = client.post("/api/search", files={"image": picture("red")}, data={"q": around.format(q)})
    refused(with_picture, 400, "QueryError")


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 422),
        ({"q": ""}, 400),
        ({"q": "   "}, 400),
        ({"q": '"open'}, 400),
        ({"q": "red", "k": 0}, 422),
        ({"q": "red", "k": MOST_HITS + 1}, 422),
        ({"q": "red", "k": MOST_HITS, "offset": 1}, 400),
        ({"q": "red", "offset": -1}, 422),
        ({"q": "red", "min_relevance": 2}, 422),
        ({"q": "red", "min_relevance": "nan"}, 422),
        ({"q": "x" * 10_001}, 422),
        ({"q": f"id:{NOBODY}"}, 400),
        ({"q": "id:' OR 1=1 --"}, 400),
        ({"q": "- red"}, 400),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_typed_error(
    client: TestClient, params: dict[str, Any], status: int
) -> None:
    refused(client.get("/api/search", params=params), status)


def test_sql_reaches_no_query(client: TestClient) -> None:
    """`where` is no parameter of the API; given all the same it changes nothing."""
    params = {"q": "red", "min_relevance": 0}
    plain = client.get("/api/search", params=params).json()
    assert client.get("/api/search", params={**params, "where": "1=0"}).json() == plain


def test_a_picture_finds_what_looks_like_it_and_words_refine_it(client: TestClient) -> None:
    files = {"image": ("q.png", picture("blue", (20, 20)))}
    found = SearchDocument.model_validate(client.post("/api/search", files=files, data={"min_relevance": "0"}).json())
    assert found.hits[0].name == "blue.png"
    both = client.post("/api/search", files=files, data={"q": "red - blue", "min_relevance": "0"}).json()
    assert len(both["understood"]["terms"]) == 3


@pytest.mark.parametrize("data", [b"", b"not a picture", b"%!PS-Adobe", picture("red")[:40], b"<svg onload=alert(1)>"])
def test_what_is_no_picture_is_refused_as_a_query_and_as_an_item(
    client: TestClient, own: TestClient, data: bytes
) -> None:
    refused(client.post("/api/search", files={"image": ("a.png", data)}), 400)
    refused(own.post("/api/items", files={"image": ("a.png", data)}), 400)


# ---- pictures -------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_kept_by_its_version_and_checked_without(client: TestClient) -> None:
    hit = client.get("/api/search", params={"q": "red", "min_relevance": 0}).json()["hits"][0]
    kept, checked = client.get(hit["thumb"]), client.get(f"/thumb/{hit['id']}")
    assert "immutable" in kept.headers["cache-control"]
    assert "immutable" not in checked.headers["cache-control"]
    assert "immutable" not in client.get(f"/thumb/{hit['id']}?v=ffff").headers["cache-control"]
    assert kept.headers["content-type"] == "image/jpeg"
    again = client.get(hit["thumb"], headers={"if-none-match": f'W/"x", {kept.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    with Image.open(io.BytesIO(kept.content)) as image:
        assert image.size == (64, 48)


def test_an_upload_is_shown_without_its_metadata_and_never_as_it_came(own: TestClient) -> None:
    data = photo_with_secrets()
    item = add(own, data)
    for address in (item["media"], item["thumb"]):
        shown = own.get(address)
        assert shown.status_code == 200
        assert shown.content != data
        assert b"SECRET" not in shown.content
        with Image.open(io.BytesIO(shown.content)) as image:
            assert image.format == "JPEG"
            assert not image.getexif()


def test_a_picture_that_is_also_a_page_is_served_as_a_picture(own: TestClient) -> None:
    polyglot = photo_with_secrets() + b"<script>alert(1)</script>"
    shown = own.get(add(own, polyglot)["media"])
    assert shown.headers["content-type"] == "image/jpeg"
    assert b"<script>" not in shown.content


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=5-", 206, slice(5, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=0-99999999", 206, slice(0, None)),
        ("bytes=99999999-", 416, None),
        ("bytes=9-3", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=-", 200, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("lines=0-1", 200, slice(None)),
    ],
)
def test_media_knows_ranges(client: TestClient, asked: str, status: int, part: slice | None) -> None:
    address = f"/media/{ids(client)[0]}"
    whole = client.get(address)
    assert whole.headers["accept-ranges"] == "bytes"
    reply = client.get(address, headers={"range": asked})
    assert reply.status_code == status
    if part is None:
        assert reply.headers["content-range"] == f"bytes */{len(whole.content)}"
        refused(reply, 416)
    else:
        assert reply.content == whole.content[part]
    if status == 206:
        start, end, total = map(int, re.findall(r"\d+", reply.headers["content-range"]))
        assert (end - start + 1, total) == (len(reply.content), len(whole.content))


# ---- items ----------------------------------------------------------------------------------------------------


def test_an_item_tells_all_but_where_its_file_is(client: TestClient, folder: Path) -> None:
    reply = client.get(f"/api/items/{ids(client)[0]}")
    item = ItemDocument.model_validate(reply.json())
    assert (item.name, item.text, item.width) == ("red.png", "a red car", 64)
    assert str(folder) not in reply.text


def test_a_picture_is_added_found_removed_and_brought_back(own: TestClient) -> None:
    red = add(own, picture("red"), "a red car", "../../etc/red<b>.png")
    add(own, picture("blue"), "the blue sea")
    assert red["name"] == "red<b>.png"
    assert ids(own)[0] == red["id"]
    gone = RemovedDocument.model_validate(own.delete(f"/api/items/{red['id']}").json())
    assert red["id"] not in ids(own)
    refused(own.get(red["uri"]), 404, "NotHere")
    refused(own.get(red["media"]), 404)
    back = own.post(gone.undo)
    assert back.json() == own.get(red["uri"]).json()
    assert ids(own)[0] == red["id"]
    assert own.get(red["media"]).status_code == 200


def test_removals_are_undone_in_turn_the_last_one_first(own: TestClient) -> None:
    made = [add(own, picture(colour), caption)["id"] for colour, caption in CAPTIONS.items()]
    for ident in made[:3]:
        assert own.delete(f"/api/items/{ident}").status_code == 200
    refused(own.post(f"/api/items/{made[0]}/undo"), 409, "Changed")
    for ident in reversed(made[:3]):
        assert own.post(f"/api/items/{ident}/undo").json()["id"] == ident
    assert sorted(ids(own)) == sorted(made)
    refused(own.post(f"/api/items/{made[0]}/undo"), 409, "Changed")


def test_a_removal_is_not_undone_over_what_came_after_it(own: TestClient) -> None:
    red = add(own, picture("red"), "a red car")["id"]
    own.delete(f"/api/items/{red}")
    blue = add(own, picture("blue"), "the blue sea")["id"]
    refused(own.post(f"/api/items/{red}/undo"), 409, "Changed")
    assert ids(own, "blue") == [blue]


def test_the_same_picture_again_changes_its_caption(own: TestClient) -> None:
    first, second = (add(own, picture("red"), text) for text in ("one", "two"))
    assert first["id"] == second["id"]
    assert own.get(first["uri"]).json()["text"] == "two"
    assert own.get("/api/stats").json()["rows"] == 1


@pytest.mark.parametrize("path", ["/api/items/{}", "/thumb/{}", "/media/{}"])
@pytest.mark.parametrize(
    "ident",
    [
        "x",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "A" * 32,
        "0" * 31,
        "0" * 33,
        "file:%2F%2F%2Fetc",
        "0" * 31 + "%00",
        "'%20OR%20'1'='1",
    ],
)
def test_what_is_no_id_leads_nowhere(client: TestClient, path: str, ident: str) -> None:
    reply = client.get(path.format(ident))
    assert reply.status_code in (404, 422)
    Problem.model_validate(reply.json())


def test_an_unknown_id_is_not_found(client: TestClient) -> None:
    for path in ("/api/items/{}", "/thumb/{}", "/media/{}"):
        assert refused(client.get(path.format(NOBODY)), 404, "NotHere")["message"] == f"there is no item '{NOBODY}'"


def test_a_read_only_server_changes_nothing(client: TestClient) -> None:
    red = ids(client)[0]
    refused(client.delete(f"/api/items/{red}"), 403, "ReadOnly")
    refused(client.post("/api/items", files={"image": picture("red")}), 403, "ReadOnly")
    refused(client.post(f"/api/items/{red}/undo"), 403, "ReadOnly")
    assert len(ids(client)) == 4


def test_an_upload_of_more_than_25_mb_is_refused_while_it_comes(own: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        for _ in range(26):
            yield b"\x00" * 2**20

    told = refused(
        own.post("/api/items", content=chunks(), headers={"content-type": "multipart/form-data; boundary=x"}), 413
    )
    assert "26,214,400" in told["message"]
    assert own.get("/api/stats").json()["rows"] == 0


# ---- hostile words --------------------------------------------------------------------------------------------


def test_script_in_captions_names_and_queries_is_stored_and_returned_as_data(tmp_path: Path) -> None:
    assert len(set(STRINGS)) >= 200
    collection = new(tmp_path)
    collection.ingest(
        [
            Item(f"made:{at}", text, HeldBytes(picture((at % 256, 255 - at % 256, at // 2))), text)
            for at, text in enumerate(STRINGS)
        ]
    )
    with client_of(collection) as client:
        reply = client.get("/api/search", params={"q": "red", "k": 1000, **ALL})
        assert reply.headers["content-type"] == "application/json"
        assert {(hit["name"], hit["text"]) for hit in reply.json()["hits"]} == {(text, text) for text in STRINGS}
        for text in STRINGS[::20]:
            item = add(client, picture((1, 2, 3)), text, text)
            assert item["text"] == text
            found = client.get("/api/search", params={"q": text, **ALL})
            assert found.headers["content-type"] == "application/json"
            assert found.status_code == 400 or (found.status_code, found.json()["query"]) == (200, text)


# ---- what is never told ---------------------------------------------------------------------------------------


def test_nothing_that_is_answered_tells_where_the_collection_or_its_files_are(
    client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch, collection: Collection
) -> None:
    red = ids(client)[0]
    replies = [
        client.get(path)
        for path in (
            "/api/search?q=red&min_relevance=0",
            f"/api/search?q=id:{NOBODY}",
            "/api/search?q=./a.jpg",
            f"/api/items/{red}",
            f"/api/items/{NOBODY}",
            "/api/stats",
            "/healthz",
            "/metrics",
            "/docs",
            "/openapi.json",
            "/nowhere",
        )
    ]

    def raising(error: Exception) -> Callable[..., Any]:
        def fail(*_args: Any, **_kwargs: Any) -> Any:
            raise error

        return fail

    for error in (
        CollectionDamaged(f"no version of {folder} can be read"),
        CollectionLocked(f"{folder}/.lock is held"),
        OSError(28, "No space left on device", f"{folder}/x.lance"),
        RuntimeError(f"lance error: {folder}/y.lance"),
        SightlineError(f"somewhere in {folder}", hint=f"look into {folder}"),
        QueryError(f"there is no item 'x' in '{collection.address}'", hint=f"-c {collection.address}"),
    ):
        monkeypatch.setattr(Collection, "search", raising(error))
        reply = client.get("/api/search?q=red")
        assert reply.status_code >= 400
        replies.append(reply)
    for reply in replies:
        assert "hidden-place" not in reply.text + str(reply.headers), reply.url
        assert "Traceback" not in reply.text
        if reply.status_code >= 400:
            Problem.model_validate(reply.json())


def test_numbers_that_json_does_not_know_are_null(tmp_path: Path) -> None:
    collection = new(tmp_path)
    meta = {"a": float("nan"), "b": [1.5, float("inf")], "c": "x"}
    collection.ingest([Item("made:1", "1.png", HeldBytes(picture("red")), meta=meta)])
    with client_of(collection) as client:
        assert client.get(f"/api/items/{ids(client)[0]}").json()["meta"] == {"a": None, "b": [1.5, None], "c": "x"}


def test_a_file_that_moved_does_not_tell_its_former_place(tmp_path: Path) -> None:
    collection = new(tmp_path)
    (tmp_path / "photos").mkdir()
    before = tmp_path / "photos" / "before.png"
    before.write_bytes(picture("red"))
    collection.ingest(tmp_path / "photos")
    before.rename(before.with_name("after.png"))
    collection.ingest(tmp_path / "photos")
    with client_of(collection) as client:
        reply = client.get(f"/api/items/{ids(client)[0]}")
    assert reply.json()["name"] == "after.png"
    assert "before" not in reply.text


def test_a_writer_elsewhere_is_answered_with_503_and_a_time(own: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_args: Any, **_kwargs: Any) -> Any:
        raise CollectionLocked("held")

    monkeypatch.setattr(Collection, "add", locked)
    reply = own.post("/api/items", files={"image": picture("red")})
    refused(reply, 503, "CollectionLocked")
    assert reply.headers["retry-after"] == "1"


# ---- asking ---------------------------------------------------------------------------------------------------


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer_is_streamed_and_ends_with_what_it_cites(client: TestClient, folder: Path) -> None:
    with client.stream("POST", "/api/ask", json={"question": "is there a red car?"}) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        told = events(reply.read().decode())
    *pieces, (last, answer) = told
    assert last == "answer"
    assert {name for name, _ in pieces} <= {"text"}
    assert {"question", "answer", "abstained", "citations", "hits"} <= set(answer)
    assert set(answer["citations"]) <= {hit["id"] for hit in answer["hits"]}
    assert all(hit["uri"] == f"/api/items/{hit['id']}" for hit in answer["hits"])
    assert str(folder) not in str(told)


@pytest.mark.parametrize("question", ["", "x" * 2_001])
def test_a_question_that_is_none_is_refused(client: TestClient, question: str) -> None:
    refused(client.post("/api/ask", json={"question": question}), 422)


def test_no_question_reads_a_file(client: TestClient) -> None:
    reply = client.post("/api/ask", json={"question": "/etc/passwd"})
    assert "root:" not in reply.text
    assert reply.status_code in (200, 400)


def test_a_generator_that_fails_at_once_or_later_is_told_as_an_error(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(after: int) -> Callable[..., Iterator[str | Answer]]:
        def ask(*_args: Any, **_kwargs: Any) -> Iterator[str | Answer]:
            yield from ["piece "] * after
            raise GeneratorError("http://10.0.0.7/v1 did not answer")

        return ask

    monkeypatch.setattr(Collection, "ask", failing(0))
    refused(client.post("/api/ask", json={"question": "a red car?"}), 502, "GeneratorError")
    monkeypatch.setattr(Collection, "ask", failing(2))
    reply = client.post("/api/ask", json={"question": "a red car?"})
    told = events(reply.text)
    assert [name for name, _ in told] == ["text", "text", "error"]
    assert Problem.model_validate(told[-1][1]).error == "GeneratorError"
    assert "10.0.0.7" not in reply.text


def test_a_fault_in_the_middle_of_an_answer_is_told_as_an_error(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_args: Any, **_kwargs: Any) -> Iterator[str | Answer]:
        yield "piece"
        raise RuntimeError("secret")

    monkeypatch.setattr(Collection, "ask", failing)
    told = events(client.post("/api/ask", json={"question": "a red car?"}).text)
    assert [name for name, _ in told] == ["text", "error"]
    assert "secret" not in str(told)


# ---- care -----------------------------------------------------------------------------------------------------


def test_it_is_ready_only_when_warm(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    search = Collection.search

    def waiting(self: Collection, *args: Any, **kwargs: Any) -> Any:
        go_on.wait(60)
        return search(self, *args, **kwargs)

    monkeypatch.setattr(Collection, "search", waiting)
    with client_of(collection) as client:
        cold = client.get("/healthz")
        assert (cold.status_code, cold.json()) == (503, {"status": "warming"})
        go_on.set()
        wait_for(lambda: client.get("/healthz").status_code == 200)
        assert client.get("/healthz").json() == {"status": "ready"}


def test_a_collection_that_cannot_be_searched_is_never_ready(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_args: Any, **_kwargs: Any) -> Any:
        raise CollectionDamaged("no version can be read")

    monkeypatch.setattr(Collection, "search", damaged)
    with client_of(collection) as client:
        wait_for(lambda: client.get("/healthz").json() == {"status": "failed"})
        assert client.get("/healthz").status_code == 503


def test_an_empty_collection_is_ready_and_says_that_it_is_empty(own: TestClient) -> None:
    wait_for(lambda: own.get("/healthz").status_code == 200)
    stats = StatsDocument.model_validate(own.get("/api/stats").json())
    assert (stats.rows, stats.read_only) == (0, False)
    refused(own.get("/api/search?q=red"), 404, "CollectionMissing")


def test_stats_count_and_name_the_encoder(client: TestClient) -> None:
    stats = StatsDocument.model_validate(client.get("/api/stats").json())
    assert (stats.rows, stats.encoder, stats.dim, stats.read_only) == (4, "fake", 8, True)


def test_metrics_count_by_route_and_status_and_never_by_address(collection: Collection) -> None:
    with client_of(collection) as client:
        client.get("/api/search", params={"q": "red"})
        client.get("/api/search")
        client.get(f"/thumb/{NOBODY}")
        client.get("/nowhere/at/all")
        text = client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['sightline_requests_total{method="GET",route="/api/search",status="200"}'] == "1"
    assert lines['sightline_requests_total{method="GET",route="/api/search",status="422"}'] == "1"
    assert lines['sightline_requests_total{method="GET",route="/thumb/{id}",status="404"}'] == "1"
    assert lines['sightline_requests_total{method="GET",route="other",status="404"}'] == "1"
    assert lines['sightline_request_seconds_count{route="/api/search"}'] == "2"
    assert lines['sightline_request_seconds_bucket{route="/api/search",le="+Inf"}'] == "2"
    assert lines['sightline_under_way{kind="search"}'] == "0"
    assert NOBODY not in text
    assert all(
        re.fullmatch(r"[a-z_]+\{[^{}]*(?:\{id\}[^{}]*)?\} [0-9.]+", line)
        for line in text.splitlines()
        if line[0] != "#"
    )


def test_unknown_addresses_and_methods_are_refused_with_typed_errors(client: TestClient) -> None:
    refused(client.get("/api/nowhere"), 404, "NotFound")
    told = client.put("/api/search")
    refused(told, 405, "MethodNotAllowed")
    assert "GET" in told.headers["allow"]


def test_the_description_names_every_route_of_the_contract_and_loads_nothing_from_elsewhere(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    contract = {
        "/api/search": {"get", "post"},
        "/api/ask": {"post"},
        "/api/items": {"post"},
        "/api/items/{id}": {"get", "delete"},
        "/api/items/{id}/undo": {"post"},
        "/media/{id}": {"get"},
        "/thumb/{id}": {"get"},
        "/api/map": {"get"},
        "/api/stats": {"get"},
        "/healthz": {"get"},
        "/metrics": {"get"},
    }
    assert {path: set(methods) for path, methods in paths.items()} == contract
    page = client.get("/docs").text
    assert all(path in page for path in contract)
    assert not re.search(r"<script|<link|https?://", page)


def test_the_token_guards_every_route_but_health(collection: Collection) -> None:
    with client_of(collection, token="a-long-enough-token") as client:  # noqa: S106
        for path in ("/api/stats", "/metrics", "/docs", "/openapi.json", f"/thumb/{NOBODY}", "/"):
            assert client.get(path).status_code == 401
        assert client.get("/healthz").status_code in (200, 503)
        assert client.get("/docs?token=a-long-enough-token").status_code == 200  # the cookie is sent on the way back
        assert client.get("/api/stats").status_code == 200
