"""The pages as the server writes them; test_browser.py holds what a browser makes of them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from fakes import FakeEncoder
from fastapi import FastAPI
from hostile_strings import STRINGS
from PIL import Image
from starlette.testclient import TestClient

from sightline import collection, pages, views
from sightline import query as language
from sightline.errors import QueryError, UsageError
from sightline.pages import add_pages
from sightline.schema import Item, Query, Term
from sightline.site import Site
from sightline.sources import HeldBytes
from sightline.uploads import Uploads
from sightline.views import Form, View

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


class Outline(HTMLParser):
    """The elements of a page with their attributes' names, and its texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.values: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str, name: str) -> list[str]:
        return [value for kind, attribute, value in self.values if (kind, attribute) == (tag, name)]


def picture(colour: str, *, size: tuple[int, int] = (60, 40), taken: str = "", other: int = 0) -> bytes:
    """A JPEG of one colour; `taken` as EXIF has it. `other` makes its bytes different."""
    image = Image.new("RGB", size, COLOURS[colour])
    exif = Image.Exif()
    if taken:
        exif[0x8769] = {0x9003: taken}
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=str(other))
    return out.getvalue()


def item(name: str, data: bytes, text: str = "", **meta: str) -> Item:
    return Item(f"held:{name}", name, HeldBytes(data), text, meta=meta, keep="original")


ITEMS = (
    item("trip/one.jpg", picture("red", taken="2024:06:03 12:00:00"), "a red car\nold and red", maker="Fiat"),
    item("trip/two.jpg", picture("red", size=(40, 60), taken="2023:01:02 12:00:00", other=9), "a red door"),
    item("green.jpg", picture("green", size=(80, 40)), "a green tree"),
    item("blue.jpg", picture("blue"), "the blue sea"),
    item("copy.jpg", picture("blue"), "the blue sea again"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    photos = collection.open(str(tmp_path_factory.mktemp("pages") / "tables"), model=FakeEncoder())
    photos.ingest(ITEMS)
    return Site(photos, title="Photos")


@contextmanager
def client_of(site: Site) -> Iterator[TestClient]:
    app = FastAPI()
    add_pages(app, site)
    with TestClient(app, follow_redirects=False) as client:
        yield client
    site.close()


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[TestClient]:
    with client_of(site) as client:
        yield client


def html(client: TestClient, address: str, *, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return answer.text


def captions(text: str) -> list[str]:
    return re.findall(r'<p class="cap">(?:<b.*?</b> )?(.*?)</p>', text)


def chips(text: str) -> dict[str, str]:
    """What a chip says -> the address without it."""
    found = {}
    for chip in re.findall(r'<li class="chip.*?</li>', text, re.DOTALL):
        said = re.sub(r"<[^>]+>", "", chip[chip.index("<span>") : chip.index("</span>")])
        found[said] = Outline(chip).all("a", "href")[0]
    return found


def asked(address: str) -> str:
    return parse_qs(urlsplit(address).query).get("q", [""])[0]


# ---- finding --------------------------------------------------------------------------------------------------


def test_without_a_query_the_newest_are_shown_first(client: TestClient) -> None:
    assert captions(html(client, "/"))[:2] == ["a red car", "a red door"]


def test_a_query_finds_what_it_says_with_the_caption_that_says_it(client: TestClient) -> None:
    assert captions(html(client, "/?q=red+old"))[0] == "old and red"


def test_a_picture_has_its_size_before_it_has_come(client: TestClient) -> None:
    outline = Outline(html(client, "/?q=tree"))
    assert ("80", "40") in zip(outline.all("img", "width"), outline.all("img", "height"), strict=True)
    assert "shot r200" in outline.all("li", "class")


def test_plain_words_are_not_repeated_as_a_chip(client: TestClient) -> None:
    assert chips(html(client, "/?q=red+car")) == {}


def test_each_part_of_a_query_is_a_chip_that_can_be_taken_away(client: TestClient) -> None:
    found = chips(html(client, "/?" + "q=2:red + green - blue after:2020-01-01 in:trip&sort=date".replace("+", "%2B")))
    assert {label: asked(address) for label, address in found.items()} == {
        "2× red": "green - blue after:2020-01-01 in:trip",
        "green": '2:"red" - blue after:2020-01-01 in:trip',
        "not blue": '2:"red" + green after:2020-01-01 in:trip',
        "taken since 1 Jan 2020": '2:"red" + green - blue in:trip',
        "in trip": '2:"red" + green - blue after:2020-01-01',
    }
    assert all(address.endswith("&sort=date") for address in found.values()), "how it is shown stays"


def test_what_is_left_out_goes_with_the_last_that_is_looked_for() -> None:
    view = View(q="red - blue in:trip")
    without = {chip.label: asked(chip.without) for chip in views.chips(view, view.typed())}
    assert without == {"red": "in:trip", "blue": "red in:trip", "in trip": "red - blue"}


def test_a_span_of_time_is_one_chip_however_it_was_said() -> None:
    for q in ("red on:2024-06", "red after:2024-06-01 before:2024-07-01"):
        labels = [chip.label for chip in views.chips(View(q=q), View(q=q).typed())]
        assert labels == ["red", "taken 1 Jun 2024 – 30 Jun 2024"]
    query = View(q="red I took last year").typed(datetime(2024, 5, 5))
    assert [chip.label for chip in views.chips(View(q="x"), query)] == ["red", "taken 1 Jan 2023 – 31 Dec 2023"]


@pytest.mark.parametrize(
    ("q", "label"),
    [
        ("x on:2024-06-03", "taken 3 Jun 2024"),
        ("x before:2024-06-03T18:30", "taken before 3 Jun 2024 18:30"),
        ("x added:2024", "added 1 Jan 2024 – 31 Dec 2024"),
        ("x type:video", "only video"),
        ("x camera:canon", "camera canon"),
        ("x has:text", "shows text"),
        ("x has:place", "has a place"),
        ('x text:"stop sign"', "says “stop sign”"),
        ('x near:"48.85,2.35,10km"', "within 10 km of 48.85, 2.35"),
    ],
)
def test_a_filter_is_said_in_words(q: str, label: str) -> None:
    assert views.chips(View(q=q), View(q=q).typed())[1].label == label


def test_more_and_less_like_this_are_links_that_ask_with_it(client: TestClient, site: Site) -> None:
    one = site.collection.search("green tree", 1)[0].id
    links = Outline(html(client, "/?q=green")).all("a", "href")
    assert {f"green + id:{one}", f"green - id:{one}"} <= {asked(link) for link in links}
    found = chips(html(client, f"/?q=red+-+id:{one}"))
    assert asked(found["not like this picture"]) == "red"


def test_an_example_is_asked_with_once() -> None:
    query = language.parse("id:abc")
    assert asked(views.refined(View(q="id:abc"), query, "abc", unlike=True)) == ""
    assert asked(views.refined(View(q="id:abc"), query, "abc")) == "id:abc"


def test_the_order_and_the_number_of_pictures_are_in_the_address(client: TestClient) -> None:
    text = html(client, "/?q=red&sort=date&k=1")
    assert captions(text) == ["a red car"]
    assert "/?q=red&sort=date&k=2" in Outline(text).all("a", "href")
    for address in ("/?sort=up", "/?k=0", "/?k=961", "/?k=x", "/?k=٣"):
        assert "was expected" in html(client, address, status=400)


def test_what_cannot_be_understood_is_shown_with_its_place_and_what_to_do(client: TestClient) -> None:
    text = html(client, "/?q=dog+after:banana", status=400)
    assert '<p class="place">dog after:<mark>b</mark>anana</p>' in text
    assert "is no date that is understood." in text
    assert "Write 2024, 2024-06" in text
    assert 'value="dog after:banana"' in text, "what was typed can be mended"


def test_a_query_can_name_no_file_of_the_server(client: TestClient) -> None:
    for q in ("/etc/passwd", "./a.jpg", "~/x.png", 'file:"/etc/passwd"'):
        assert "cap" not in Outline(html(client, f"/?q={quote(q)}", status=400)).all("p", "class")


def test_where_nothing_fits_what_comes_near_is_offered_and_not_shown(client: TestClient) -> None:
    text = html(client, "/?q=zebra")
    assert "Nothing found that fits" in text
    assert captions(text) == []
    offered = next(link for link in Outline(text).all("a", "href") if link.endswith("all=1"))
    shown = html(client, offered)
    assert captions(shown)
    assert "may not fit" in shown


def test_filters_that_nothing_passes_offer_nothing(client: TestClient) -> None:
    text = html(client, "/?q=in:nowhere")
    assert "None of the 5 pictures passes." in text
    assert "all=1" not in text


def test_near_duplicates_are_one_picture_that_opens(client: TestClient, site: Site) -> None:
    text = html(client, "/?q=blue")
    assert len(captions(text)) == 1
    hits = site.collection.search("blue", 5, group=True)
    assert f"/item/{hits[0].alike[0]}?q=blue" in Outline(text).all("a", "href")
    assert len(captions(html(client, "/?q=blue&each=1"))) == 2


def test_why_a_picture_was_found_is_told(client: TestClient) -> None:
    text = html(client, "/?q=green")
    shares = [int(value) for value in Outline(text).all("meter", "value")]
    assert abs(sum(shares) - 100) <= 1, "but for rounding"
    assert "<dt>how it looks</dt>" in text
    assert "<dt>its caption</dt>" in text


def test_an_empty_collection_says_how_to_begin(tmp_path: Path) -> None:
    empty = Site(collection.open(str(tmp_path / "none"), model=FakeEncoder()))
    with client_of(empty) as client:
        assert "No pictures yet" in html(client, "/")
        assert 'href="/add"' in html(client, "/?q=red")


# ---- the form of filters --------------------------------------------------------------------------------------


def test_the_form_of_filters_writes_the_query_language(client: TestClient) -> None:
    given = "q=red&since=2024-06-01&until=2024-06-30&type=image&folder=my%20%22trip%22&has_text=1&sort=date"
    answer = client.get(f"/filter?{given}")
    assert answer.status_code == 303
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    wanted = 'red after:2024-06-01 before:2024-07-01 type:image in:"my \\"trip\\"" has:text'
    assert told == {"q": [wanted], "sort": ["date"]}


def test_the_form_shows_what_was_typed_and_leaves_it_alone() -> None:
    query = language.parse("red after:2024-06-03T18:30 before:2024-07-01 in:trip - in:scans has:text camera:canon")
    form = Form.of(query)
    assert form == Form(since="2024-06-03", until="2024-06-30", folder="trip", has_text=True)
    assert views.filtered(query, form) == query


def test_what_the_form_takes_away_goes_and_the_rest_stays() -> None:
    query = language.parse("red after:2024-06-03 in:trip - in:scans has:text camera:canon")
    left = views.filtered(query, Form())
    assert language.write(left) == "red camera:canon - in:scans"


def test_a_day_that_is_none_is_refused(client: TestClient) -> None:
    assert "no date" in html(client, "/filter?q=red&since=2024-02-31", status=400)
    with pytest.raises(QueryError, match="no date"):
        views.filtered(Query(raw="", terms=()), Form(until="9999-99-99"))


# ---- by picture -----------------------------------------------------------------------------------------------


def test_a_picture_that_is_sent_finds_and_has_an_address(client: TestClient) -> None:
    sent = client.post("/picture", files={"picture": ("x.jpg", picture("green", size=(30, 30)), "image/jpeg")})
    assert sent.status_code == 303
    address = sent.headers["location"]
    text = html(client, address)
    assert captions(text)[0] == "a green tree"
    assert chips(text) == {"this picture": "/"}
    key = parse_qs(urlsplit(address).query)["picture"][0]
    shown = client.get(f"/picture/{key}")
    assert Image.open(io.BytesIO(shown.content)).size == (30, 30)
    both = chips(html(client, f"{address}&q=red"))
    assert both == {"this picture": "/?q=red", "red": address}


def test_a_picture_can_be_refined_by_what_is_left_out_alone(client: TestClient, site: Site) -> None:
    sent = client.post("/picture", files={"picture": ("x.jpg", picture("yellow"), "image/jpeg")})
    red = site.collection.search("red car", 1)[0].id
    text = html(client, f"{sent.headers['location']}&q=-+id:{red}")
    assert captions(text)[0] == "a green tree"
    without = chips(text)
    assert asked(without["not like this picture"]) == ""
    assert without["this picture"] == "/", "nothing is left that could be looked for"
    with pytest.raises(QueryError) as refused:
        View(q="- after:banana", picture="x").typed()
    assert refused.value.at == 8


def test_what_is_no_picture_is_refused_in_words(client: TestClient) -> None:
    answer = client.post("/picture", files={"picture": ("x.jpg", b"no picture at all", "image/jpeg")})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert client.post("/picture", data={"q": "red"}).status_code == 400
    assert "not held any more" in html(client, "/?picture=gone", status=400)


def test_no_more_pictures_are_held_than_was_said() -> None:
    held = Uploads(most=2)
    first, second = (held.put(picture(colour)) for colour in ("red", "green"))
    held.get(first)
    third = held.put(picture("blue"))
    assert held.get(first)
    assert held.get(third)
    with pytest.raises(UsageError, match="not held any more"):
        held.get(second)


# ---- one picture ----------------------------------------------------------------------------------------------


def test_a_picture_has_a_page_with_all_that_is_known_and_its_neighbours(client: TestClient, site: Site) -> None:
    one = site.collection.search("red car", 1)[0].id
    text = html(client, f"/item/{one}?q=red")
    for said in ("a red car", "old and red", "3 Jun 2024 12:00", "60 × 40 pixels", "Fiat", "trip/one.jpg"):
        assert said in text
    assert captions(text)[0] == "a red door", "what is like it"
    assert "held:" not in text, "where its bytes are is nobody's business"


def test_the_page_of_a_picture_leads_through_the_search(client: TestClient, site: Site) -> None:
    ranked = [hit.id for hit in site.collection.search("red", 10, group=True, min_relevance=0.5)]
    assert len(ranked) == 2
    text = html(client, f"/item/{ranked[0]}?q=red")
    assert "1 of 2" in text
    assert f'id="after" rel="next" href="/item/{ranked[1]}?q=red"' in text
    assert 'id="before"' not in text
    assert f'id="back" href="/?q=red#h-{ranked[0]}"' in text
    assert 'id="after"' not in html(client, f"/item/{ranked[1]}?q=red")


def test_a_picture_says_when_its_search_has_more_than_was_shown(client: TestClient, site: Site) -> None:
    first, second = (hit.id for hit in site.collection.search("red", 2, group=True))
    text = html(client, f"/item/{first}?q=red&k=1&all=1")
    assert "1 of 1+" in text
    assert Outline(text).all("a", "href").count(f"/item/{second}?q=red&k=1&all=1") == 1, "the next one"
    assert "2 of 2+" in html(client, f"/item/{second}?q=red&k=1&all=1")


@pytest.mark.parametrize("ident", ["0" * 32, "zz", "..%2f..%2fetc%2fpasswd", "' OR 1=1"])
def test_a_picture_that_is_not_there_is_said_so(client: TestClient, ident: str) -> None:
    answer = client.get(f"/item/{ident}")
    assert answer.status_code == 404


# ---- adding and removing --------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[TestClient]:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    photos.ingest(ITEMS[:3])
    with client_of(Site(photos)) as client:
        yield client


def test_pictures_are_added_by_a_form_and_the_others_are_named(own: TestClient) -> None:
    files = [("pictures", ("sea.jpg", picture("blue"), "image/jpeg")), ("pictures", ("bad.jpg", b"bad", "image/jpeg"))]
    answer = own.post("/add", files=files)
    assert "1 added. 1 could not be used:" in answer.text
    assert "<li>bad.jpg" in answer.text
    assert len(captions(html(own, "/"))) == 4
    assert "no picture was sent" in own.post("/add", data={"x": "y"}).text.lower()


def test_a_removed_picture_is_gone_and_comes_back_when_it_is_undone(own: TestClient) -> None:
    link = next(one for one in Outline(html(own, "/?q=tree")).all("a", "href") if one.startswith("/item/"))
    ident = urlsplit(link).path.removeprefix("/item/")
    removed = own.post(f"/item/{ident}/remove?q=tree")
    assert removed.headers["location"] == f"/?q=tree&undo={ident}"
    text = html(own, removed.headers["location"])
    assert captions(text) == []
    action = Outline(text).all("form", "action")[2]
    assert action == f"/item/{ident}/undo?q=tree"
    undone = own.post(action)
    assert undone.headers["location"] == "/?q=tree"
    assert captions(html(own, "/?q=tree")) == ["a green tree"]
    again = own.post(action)
    assert again.status_code == 409
    assert 'role="alert"' in again.text


def test_a_read_only_site_offers_no_change_and_takes_none(site: Site) -> None:
    closed = Site(site.collection, read_only=True)
    one = site.collection.search("red car", 1)[0].id
    with client_of(closed) as client:
        for address in ("/", f"/item/{one}", f"/?undo={one}", "/ask"):
            text = html(client, address)
            assert not {"/add", f"/item/{one}/remove"} & {
                *Outline(text).all("a", "href"),
                *Outline(text).all("form", "action"),
            }
            assert 'data-drop="add"' not in text
        assert client.post(f"/item/{one}/remove").status_code in (404, 405)
        assert client.post("/add").status_code in (404, 405)
        assert client.get("/add").status_code == 404


# ---- other people's words -------------------------------------------------------------------------------------


def test_no_string_changes_the_shape_of_a_page_as_a_query(client: TestClient) -> None:
    def shape(text: str) -> list[tuple[str, ...]]:
        q = language.write(Query(raw="", terms=(Term(text=text),)))
        return Outline(html(client, f"/?q={quote(q)}")).elements

    harmless = [shape("zebra"), shape("before:me")]  # what has to be quoted is a chip besides
    assert [text for text in STRINGS if shape(text) not in harmless] == []


def test_no_string_changes_the_shape_of_a_grid_as_a_caption_or_a_name(tmp_path: Path) -> None:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    plain = [item(f"{at}.jpg", picture("red", other=at), f"caption {at}") for at in range(2)]
    photos.ingest([*plain, *(item(f"{at}-{text}", picture("red", other=at), text) for at, text in enumerate(STRINGS))])
    with client_of(Site(photos)) as client:
        outline = Outline(html(client, f"/?k={len(STRINGS) + 2}&each=1"))
        cells = [element for element in outline.elements if element[0] in ("li", "img", "a", "p", "span")]
        assert sum(element[0] == "img" for element in cells) == len(STRINGS) + 2
        assert set(outline.all("img", "alt")) >= {text for text in STRINGS if text.strip() == text and "\n" not in text}
        assert {element for element in outline.elements if element[0] in ("script", "iframe", "style", "svg")} == {
            ("script", "type", "src"),
            *(element for element in Outline(html(client, "/?q=zebra")).elements if element[0] == "svg"),
        }
        assert not {name for element in outline.elements for name in element[1:] if name.startswith("on")}


def test_answers_are_text_and_citations_and_nothing_else() -> None:
    assert pages.parts("Two [1][2], not [3] or [0]. <b>[1]</b>", 2) == (
        ("Two ", 0),
        ("[1]", 1),
        ("[2]", 2),
        (", not [3] or [0]. <b>", 0),
        ("[1]", 1),
        ("</b>", 0),
    )


# ---- the whole ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/", "/?q=red+-+blue", "/?q=zebra", "/?q=(", "/ask", "/add", "/item/" + "0" * 32])
def test_no_page_holds_a_script_or_a_style_or_leads_elsewhere(client: TestClient, address: str) -> None:
    outline = Outline(client.get(address).text)
    assert all("src" in element for element in outline.elements if element[0] == "script")
    assert not [value for value in outline.values if value[1] == "style" or value[1].startswith("on")]
    assert not [element for element in outline.elements if element[0] == "style"]
    leads = [value for _, name, value in outline.values if name in ("href", "src", "action")]
    assert leads
    assert all(re.match(r"(/(?!/)|#|$)", value) for value in leads)


def test_each_width_by_height_has_its_class() -> None:
    sheet = (Path(pages.__file__).parent / "static" / "page.css").read_text()
    known = dict(re.findall(r"\.(r\d+)\{--r:([\d.]+)\}", sheet))
    asked = {pages.ratio(width, 100) for width in range(1, 500)} | {pages.ratio(0, 0)}
    assert asked == set(known)
    assert all(abs(float(value) - int(name[1:]) / 100) < 1e-9 for name, value in known.items())


def test_a_full_page_without_its_pictures_weighs_at_most_150_kb(tmp_path: Path) -> None:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    caption = "a red car that stands before a long wall with many more words of what is to be seen around it"
    photos.ingest([item(f"2024/holiday/{at}.jpg", picture("red", other=at), f"{caption} {at}") for at in range(80)])
    with client_of(Site(photos)) as client:
        page = html(client, "/?q=a+red+car+before+a+wall&each=1")
        assert len(captions(page)) == views.FIRST
        outline = Outline(page)
        loaded = [*outline.all("link", "href"), *outline.all("script", "src")]
        weight = len(page.encode()) + sum(len(client.get(address).content) for address in loaded)
    assert weight <= 150_000


def test_static_files_are_kept_for_as_long_as_they_are_these(client: TestClient) -> None:
    (sheet,) = [value for value in Outline(html(client, "/")).all("link", "href") if ".css" in value]
    answer = client.get(sheet)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/page.css?v=old").headers["cache-control"] == "no-cache"
    assert client.get("/static/page.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/..%2fpages.py").status_code == 404
