"""The map over HTTP and as a page: its document, how it is kept, what it says while it is made, no word too much."""

from __future__ import annotations

import gzip
import html
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEncoder
from hostile_strings import STRINGS
from starlette.testclient import TestClient
from test_map import pictures, until
from test_pages import Outline, item
from test_web import client_of

from sightline import atlas, collection, mapdocument, mapfile, wire
from sightline.atlas import Atlas
from sightline.collection import Collection


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    found = collection.open(str(tmp_path_factory.mktemp("map") / "tables"), model=FakeEncoder())
    found.ingest(pictures(36))
    found.atlases.get()
    return found


@pytest.fixture
def client(photos: Collection) -> Iterator[TestClient]:
    with client_of(photos) as client:
        yield client


def marks(page: str) -> list[Any]:
    [written] = re.findall(r'data-marks="([^"]*)"', page)
    return list(json.loads(html.unescape(written)))


def test_the_document_has_a_value_of_every_column_for_every_point(client: TestClient, photos: Collection) -> None:
    told = client.get("/api/map").json()
    wire.MapDocument.model_validate(told)
    assert (told["state"], told["rows"], told["points"], told["sample"]) == ("ready", 36, 36, False)
    assert {len(told[name]) for name in ("ids", "x", "y", "taken", "type", "folder")} == {36}
    assert told["ids"] == [point.id for point in photos.atlases.get().points]
    assert all(-1 <= one <= 1 for one in (*told["x"], *told["y"]))
    assert {told["folders"][one] for one in told["folder"]} == {"red", "green", "blue"}
    assert str(photos._store.address.folder) not in json.dumps(told)


def test_what_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/api/map")
    again = client.get("/api/map", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/map", headers={"if-none-match": '"another"'}).status_code == 200


def test_it_comes_compressed_to_those_who_take_it(client: TestClient) -> None:
    with client.stream("GET", "/api/map", headers={"accept-encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
    plain = client.get("/api/map", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content) / 2


def test_while_it_is_made_it_says_how_far_and_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    photos.ingest(pictures(24))
    go_on, project = threading.Event(), atlas.project

    def slow(*args: Any, tell: Any, **kwargs: Any) -> Any:
        tell(0.25)
        assert go_on.wait(60)
        return project(*args, **kwargs)

    monkeypatch.setattr(atlas, "project", slow)
    with client_of(photos) as client:
        until(lambda: client.get("/api/map").json()["progress"] == 0.25)
        told = client.get("/api/map")
        assert (told.status_code, told.json()["state"], told.json()["ids"]) == (202, "making", [])
        wire.MapDocument.model_validate(told.json())
        assert client.get("/map.png").status_code == 503
        assert "green" in client.get("/map?q=green").text  # the search is answered all the same
        go_on.set()
        until(lambda: client.get("/api/map").status_code == 200)


def test_a_map_that_cannot_be_made_is_an_honest_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    photos.ingest(pictures(24))
    monkeypatch.setattr(atlas, "project", None)
    with client_of(photos) as client:
        until(lambda: client.get("/api/map").status_code == 500)
        assert client.get("/api/map").json()["error"] == "CollectionError"
        assert client.get("/map").status_code == 200


def test_an_empty_collection_has_an_empty_map(tmp_path: Path) -> None:
    with client_of(collection.open(str(tmp_path / "tables"), model=FakeEncoder())) as client:
        told = client.get("/api/map")
        assert (told.status_code, told.json()["points"]) == (200, 0)
        assert "No pictures yet" in client.get("/map").text
        assert client.get("/map.png").status_code == 404


def test_a_search_is_marked_where_its_hits_lie(client: TestClient, photos: Collection) -> None:
    page = client.get("/map?q=green").text
    found = photos.atlases.get()
    first, *_ = marked = marks(page)
    assert len(marked) == 36
    point = found.places[first[0]]
    assert first[1:3] == [round(float(one), 4) for one in found.positions[point]]
    assert found.points[point].folder == "green"
    assert 'data-label="green"' in page
    outline = Outline(page)
    assert outline.all("form", "action")[0] == "/map"
    assert [href for href in outline.all("a", "href") if href == "/?q=green"]


def test_a_search_of_filters_alone_has_marks_and_no_spot(client: TestClient) -> None:
    page = client.get("/map", params={"q": "in:blue"}).text
    assert len(marks(page)) == 12
    assert "data-spot" not in page


def test_what_is_not_understood_is_said_on_the_page(client: TestClient) -> None:
    answer = client.get("/map", params={"q": "a bus after:6/3/2024"})
    assert answer.status_code == 400
    assert 'id="map"' in answer.text
    assert 'role="alert"' in answer.text


def test_a_picture_that_is_sent_from_the_map_is_shown_on_the_map(client: TestClient) -> None:
    red = pictures(1)[0].read()
    sent = client.post("/picture", files={"picture": ("a.png", red)}, data={"at": "/map"}, follow_redirects=False)
    assert sent.headers["location"].startswith("/map?picture=")
    page = client.get(sent.headers["location"]).text
    assert 'data-label="your picture"' in page
    assert (
        client.post("/picture", files={"picture": ("a.png", red)}, data={"at": "https://elsewhere.example"}).url.path
        == "/"
    )


def test_the_page_links_every_page_to_the_map(client: TestClient) -> None:
    assert '<a href="/map?q=red" id="to-map">Map</a>' in client.get("/?q=red").text
    assert '<a href="/map" id="to-map">Map</a>' in client.get("/ask").text
    assert '<a href="/map" aria-current="page" id="to-map">Map</a>' in client.get("/map").text


def test_words_of_others_are_words_on_the_page_and_in_the_file(tmp_path: Path) -> None:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    images = pictures(48)
    photos.ingest([item(f"{at}.png", images[at].read(), text) for at, text in enumerate(STRINGS[:48])])
    found: Atlas = photos.atlases.get()
    with client_of(photos) as client:
        for text in STRINGS[:48]:
            page = Outline(client.get("/map", params={"q": text}).text)
            assert [one for one in page.elements if any(name.startswith("on") for name in one[1:])] == []
            assert [one for one in page.elements if one[0] == "script" and "src" not in one] == []
    text = mapfile.page(found)
    assert text.count("</script>") == 2  # the data's and the program's own
    data = text.split('id="atlas">')[1].split("</script>")[0]
    assert json.loads(data)["captions"] == [mapfile._caption(point.text, point.name) for point in found.points]
    assert not re.search(r"https?://(?!www\.w3\.org)", text.split("<body>")[0])


def test_a_file_that_cannot_be_written_is_said(photos: Collection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot write the map"):
        mapfile.write(photos.atlases.get(), tmp_path / "file" / "map.html")


def test_thumbnails_end_where_the_file_would_be_too_large(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapfile, "COLUMNS", 3)
    monkeypatch.setattr(mapfile, "ROWS", 2)
    sheets, shown = mapfile._sheets(photos.atlases.get(), [point.id for point in photos.atlases.get().points])
    assert (len(sheets), len(shown)) == (6, 36)
    monkeypatch.setattr(mapfile, "MOST_BYTES", sum(map(len, sheets[:4])))
    page = mapfile.page(photos.atlases.get())
    assert "24 of them with a thumbnail" in page


def test_beyond_many_folders_the_others_are_one(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapdocument, "MOST_FOLDERS", 2)
    told = mapdocument.document(photos.atlases.get())
    assert told["folders"] == ["blue", "green", "others"]
    assert [told["folder"].count(at) for at in range(3)] == [12, 12, 12]
