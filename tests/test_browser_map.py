"""The map in a real browser: by mouse, keyboard and touch, with a search, in a file of its own, with 10,000 points."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from fakes import FakeEncoder
from hostile_strings import STRINGS
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from test_browser import CHROMIUM, WAIT, Served, browser, context, page  # noqa: F401  # fixtures
from test_pages import item

from sightline import collection, mapfile
from sightline.atlas import Atlas, Point
from sightline.schema import Modality

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Playwright leaves its pipe to the garbage collector
]

COLOURS = ("red", "green", "blue")


def picture(at: int) -> bytes:
    parts = [20 + (7 * at + 5 * i) % 30 for i in range(3)]
    parts[at % 3] = 250 - at
    out = io.BytesIO()
    Image.new("RGB", (60, 40), tuple(parts)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    photos = collection.open(str(tmp_path_factory.mktemp("map") / "tables"), model=FakeEncoder())
    hostile = STRINGS[:30]
    photos.ingest(
        [item(f"{COLOURS[at % 3]}/{at}.png", picture(at), f"a {COLOURS[at % 3]} wall {at}") for at in range(60)]
        + [item(f"bad/{at}.png", picture(60 + at), text) for at, text in enumerate(hostile)]
    )
    photos.atlases.get()
    served = Served(photos)
    yield served
    served.close()


def opened(page: Page, address: str = "/map") -> Locator:  # noqa: F811
    """The map of an address, once its points are there."""
    page.goto(address)
    page.locator("#map.ready").wait_for()
    return page.locator("#map canvas")


def view(page: Page, expression: str) -> Any:  # noqa: F811
    return page.evaluate(f"(() => {{ const view = document.querySelector('#map').view; return {expression}; }})()")


def until(page: Page, expression: str) -> None:  # noqa: F811
    """Waits until it is so. Playwright's own way evaluates text in the page, which our policy forbids."""
    end = time.monotonic() + WAIT / 1000
    while not page.evaluate(f"(() => {expression})()"):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def inner(page: Page) -> int:  # noqa: F811
    """The point nearest to the middle of the window, where nothing covers it."""
    apart = "Math.hypot(view.at(a)[0] - view.width / 2, view.at(a)[1] - view.height / 2)"
    far = f"[...view.ids.keys()].map((a) => [{apart}, a])"
    return int(view(page, f"{far}.sort((one, two) => one[0] - two[0])[0][1]"))


def place(page: Page, point: int = 0) -> tuple[float, float]:  # noqa: F811
    """Where in the window a point lies."""
    x, y = view(page, f"view.at({point})")
    box = page.locator("#map canvas").bounding_box()
    assert box is not None
    return box["x"] + x, box["y"] + y


def test_pointing_shows_a_picture_with_its_caption_and_a_click_opens_it(page: Page) -> None:  # noqa: F811
    opened(page)
    assert view(page, "view.ids.length") == 90
    point = inner(page)
    view(page, f"view.zoom(12, ...view.at({point}))")
    page.mouse.move(*place(page, point))
    card = page.locator(".mapcard")
    expect(card).to_be_visible()
    expect(card.locator("span")).not_to_have_text("…")
    ident = view_id(page)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url(f"**/item/{ident}")


def view_id(page: Page) -> str:  # noqa: F811
    return str(view(page, "view.ids[view.focused]"))


def test_dragging_moves_the_map_and_the_wheel_zooms_where_it_points(page: Page) -> None:  # noqa: F811
    opened(page)
    before = place(page)
    page.mouse.move(500, 400)
    page.mouse.down()
    page.mouse.move(560, 430, steps=4)
    page.mouse.up()
    after = place(page)
    assert (after[0] - before[0], after[1] - before[1]) == (pytest.approx(60, abs=1), pytest.approx(30, abs=1))
    assert "/map" in page.url  # a drag opens nothing

    point = inner(page)
    at = place(page, point)
    scale = view(page, "view.scale")
    page.mouse.move(*at)
    page.mouse.wheel(0, -300)
    until(page, f"document.querySelector('#map').view.scale > {1.5 * scale}")
    assert place(page, point) == (pytest.approx(at[0], abs=1), pytest.approx(at[1], abs=1))
    page.get_by_label("The whole map").click()
    assert view(page, "view.scale") == pytest.approx(scale)


def test_the_keyboard_goes_from_picture_to_picture_zooms_and_opens(page: Page) -> None:  # noqa: F811
    canvas = opened(page)
    canvas.focus()
    page.keyboard.press("ArrowRight")
    first = view(page, "view.focused")
    expect(page.locator(".mapcard")).to_be_visible()
    page.keyboard.press("ArrowRight")
    second = view(page, "view.focused")
    assert second != first
    assert view(page, f"view.x[{second}] > view.x[{first}]")
    expect(page.locator("#say")).not_to_be_empty()
    scale = view(page, "view.scale")
    page.keyboard.press("+")
    assert view(page, "view.scale") == pytest.approx(1.5 * scale)
    page.keyboard.press("0")
    assert view(page, "view.scale") == pytest.approx(scale)
    page.keyboard.press("Escape")
    expect(page.locator(".mapcard")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    ident = view_id(page)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/item/{ident}")


def test_a_search_stands_on_the_map_with_what_it_finds(page: Page) -> None:  # noqa: F811
    opened(page)
    page.keyboard.press("/")
    page.keyboard.type("green")
    page.wait_for_url("**/map?q=green")
    until(page, "document.querySelector('#map').view.marks.spot")
    spot = view(page, "view.marks.spot")
    nearest = view(page, "view.ids[view.hits[0]]")
    assert served_folder(page, nearest) == "green"
    x, y = view(page, "[view.x[view.hits[0]], view.y[view.hits[0]]]")
    assert np.hypot(spot[0] - x, spot[1] - y) < 0.6
    listed = page.locator("#found .pic img").first.get_attribute("alt")
    assert listed is not None
    assert listed.startswith("a green wall")
    page.locator(".mapkey select").select_option("relevance")
    expect(page.locator(".legend li")).to_have_count(5)
    page.go_back()
    until(page, "!document.querySelector('#map').view.marks.spot")
    expect(page.locator(".mapkey select option[value=relevance]")).to_have_count(0)


def served_folder(page: Page, ident: str) -> str:  # noqa: F811
    return str(page.evaluate(f"fetch('/api/items/{ident}').then((told) => told.json())")["name"].split("/")[0])


def test_the_search_of_the_grid_is_carried_to_the_map_and_back(page: Page) -> None:  # noqa: F811
    page.goto("/?q=blue")
    page.locator("#to-map").click()
    page.wait_for_url("**/map?q=blue")
    page.locator("#map.ready").wait_for()
    page.get_by_role("link", name="As a list").click()
    page.wait_for_url("**/?q=blue")


def test_points_are_coloured_by_folder_with_a_legend(page: Page) -> None:  # noqa: F811
    opened(page)
    page.locator(".mapkey select").select_option("folder")
    assert sorted(page.locator(".legend li").all_inner_texts()) == ["bad", "blue", "green", "red"]
    assert view(page, "view.groups.size") == 5  # and the quiet colour, of which there is none


@pytest.mark.parametrize("context", [{"has_touch": True, "viewport": {"width": 375, "height": 740}}], indirect=True)
def test_on_a_phone_a_tap_shows_and_a_second_one_opens(page: Page) -> None:  # noqa: F811
    opened(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    point = inner(page)
    view(page, f"view.zoom(12, ...view.at({point}))")
    page.wait_for_timeout(300)
    page.touchscreen.tap(*place(page, point))
    expect(page.locator(".mapcard.stays")).to_be_visible()
    ident = view_id(page)
    page.touchscreen.tap(*place(page, view(page, "view.focused")))
    page.wait_for_url(f"**/item/{ident}")


@pytest.mark.parametrize("context", [{}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"])
@pytest.mark.parametrize("address", ["/map", "/map?q=red"])
def test_axe_finds_nothing_serious(page: Page, address: str) -> None:  # noqa: F811
    opened(page, address)
    found = Axe().run(page)
    serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []


@pytest.mark.parametrize("context", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_there_is_a_list_and_a_picture_of_the_map(page: Page) -> None:  # noqa: F811
    page.goto("/map?q=red")
    expect(page.locator("#found .pic").first).to_be_visible()
    picture = page.request.get("/map.png")
    assert picture.ok
    assert picture.body().startswith(b"\x89PNG")


def test_a_map_that_is_being_made_says_how_far_it_is(page: Page) -> None:  # noqa: F811
    making = {"state": "making", "progress": 0.4}
    page.route("**/api/map", lambda route: route.fulfill(status=202, json=making), times=2)
    page.goto("/map")
    until(page, "document.querySelector('.wait progress').value === 0.4")
    page.locator("#map.ready").wait_for()
    expect(page.locator(".wait")).to_be_hidden()


# ---- ten thousand points, and the file ------------------------------------------------------------------------


def crowd(n: int) -> Atlas:
    """`n` made up points in forty heaps."""
    rng = np.random.default_rng(5)
    heaps = rng.uniform(-0.9, 0.9, (40, 2))
    positions = (heaps[rng.integers(0, 40, n)] + rng.normal(0, 0.06, (n, 2))).astype(np.float32)
    points = tuple(
        Point(f"{at:032x}", f"held:{at}", "", f"{at % 7}/{at}.png", f"picture {at}", str(at % 7), Modality.IMAGE, None)
        for at in range(n)
    )
    small = io.BytesIO()
    Image.new("RGB", (96, 64), "#336699").save(small, "JPEG")
    return Atlas(
        points,
        positions,
        np.zeros((n, 1), np.float32),
        "t-SNE",
        n,
        (),
        "crowd",
        lambda ids: dict.fromkeys(ids, small.getvalue()),
    )


FRAMES = """async () => {
  const view = document.querySelector("#map").view;
  view.frames.length = 0;
  const between = [];
  let before = await new Promise(requestAnimationFrame);
  for (let step = 0; step < 90; step++) {
    STEP;
    const now = await new Promise(requestAnimationFrame);
    between.push(now - before);
    before = now;
  }
  const told = (times) => [0.5, 0.95].map((part) => times.sort((a, b) => a - b)[Math.floor(part * times.length)]);
  return { between: told(between), drawing: told(view.frames) };
}"""
"""Milliseconds from frame to frame, which the compositor takes part in, and of our own drawing: median and p95."""


def test_ten_thousand_points_stay_smooth_in_a_file_of_their_own(
    context: BrowserContext,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = mapfile.write(crowd(10_000), tmp_path / "map.html")
    assert path.stat().st_size < 17_000_000
    page = context.new_page()  # noqa: F811
    page.goto(path.as_uri())
    page.locator("#map.ready").wait_for()
    page.wait_for_timeout(1500)
    panning = page.evaluate(FRAMES.replace("STEP", "view.pan(step % 30 < 15 ? 12 : -12, 4)"))
    zooming = page.evaluate(FRAMES.replace("STEP", "view.zoom(step % 30 < 15 ? 1.05 : 1 / 1.05)"))
    print("ms: panning", panning, "zooming", zooming)
    assert panning["drawing"][0] < 8  # of the 16.7 that a frame has; docs/map.md has all of it on a quiet machine
    assert zooming["drawing"][0] < 8


def test_the_file_shows_captions_and_a_search_and_asks_no_network(
    browser: Browser,  # noqa: F811
    served: Served,
    tmp_path: Path,
) -> None:
    photos = served.photos
    found = photos.search("red", 20, min_relevance=0.0)
    atlas = photos.atlases.get()
    path = mapfile.write(atlas, tmp_path / "map.html", mark=photos.atlases.mark(atlas, found), found=found)
    with browser.new_context(offline=True) as alone:
        page = alone.new_page()
        bad: list[str] = []
        page.on("dialog", lambda dialog: (bad.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: bad.append(str(error)))
        page.on(
            "request", lambda request: None if request.url.startswith(("file:", "data:")) else bad.append(request.url)
        )
        page.goto(path.as_uri())
        page.locator("#map.ready").wait_for()
        assert view(page, "view.marks.hits.length") == 20
        captions = view(page, "view.data.captions")
        assert captions == [mapfile._caption(point.text, point.name) for point in atlas.points]
        for at, point in enumerate(atlas.points):
            if point.folder == "bad":  # captions that would be scripts
                view(page, f"view.focus({at}, 'keys')")
                expect(page.locator(".mapcard span")).not_to_have_text("…")
                assert page.locator(".mapcard span *").count() == 0
        assert bad == []
