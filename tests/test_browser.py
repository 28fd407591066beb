"""The pages in a real browser: Debian's chromium, driven by Playwright. One browser and one server for all tests.

No test may see a dialog, a script error or a report of the content security policy.
"""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fakes import FakeEncoder
from hostile_strings import STRINGS
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from test_pages import item, picture

from sightline import collection, web
from sightline import query as language
from sightline.collection import Collection
from sightline.schema import Hit, Query, Term

if TYPE_CHECKING:
    from uvicorn import Server

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]
WAIT = 30_000
"""Milliseconds until something that should be there counts as missing."""
SHAPES = ((90, 60), (60, 80), (120, 60), (60, 60))

expect.set_options(timeout=WAIT)

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Playwright leaves its pipe to the garbage collector
]


class Told:
    """Says what it was told, word by word; citations are the test's business."""

    name = "told"

    def __init__(self, text: str = "There are red pictures [1] and [2].") -> None:
        self.text = text
        self.questions: list[str] = []

    def generate(self, question: str, hits: Sequence[Hit]) -> Iterator[str]:
        self.questions.append(question)
        for at, word in enumerate(self.text.split(" ")):
            yield f" {word}" if at else word


class Served:
    """A collection behind the true server, in a thread."""

    def __init__(self, photos: Collection, **options: Any) -> None:
        import uvicorn

        self.photos = photos
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        config = uvicorn.Config(web.create_app(photos, **options), log_level="error", ws="none")
        self.server: Server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.socket.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, told: Told) -> Iterator[Served]:
    photos = collection.open(str(tmp_path_factory.mktemp("browser") / "tables"), model=FakeEncoder())
    days = [f"2024:06:{day:02d} 12:00:00" for day in range(1, 25)]
    colours = ("red", "green", "blue")
    items = []
    for at, day in enumerate(days):
        colour = colours[at % 3]
        data = picture(colour, size=SHAPES[at % 4], taken=day, other=at)
        items.append(item(f"{at}.jpg", data, f"a {colour} wall {at}"))
    sea = [item(name, picture("blue"), f"the sea, {name}") for name in ("sea.jpg", "copy.jpg")]
    photos.ingest([*items, *sea])
    served = Served(photos, generator=told)
    yield served
    served.close()


@pytest.fixture
def context(browser: Browser, served: Served, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """What a person's window is; what must not happen in it is collected."""
    options = {"viewport": {"width": 1280, "height": 860}, "base_url": served.address, **getattr(request, "param", {})}
    with browser.new_context(**options) as context:
        context.set_default_timeout(WAIT)
        bad: list[str] = []
        watch = "addEventListener('securitypolicyviolation', event => console.error('CSP', event.violatedDirective))"
        context.add_init_script(watch)
        context.on("dialog", lambda dialog: (bad.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        context.on("weberror", lambda error: bad.append(f"error: {error.error}"))
        context.on("console", lambda line: bad.append(line.text) if _is_report(line.text) else None)
        yield context
        assert bad == []


def _is_report(line: str) -> bool:
    return "Content Security Policy" in line or line.startswith("CSP")


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def captions(page: Page) -> list[str]:
    return page.locator("#found .cap").all_inner_texts()


def found(page: Page, count: int) -> None:
    expect(page.locator("#found .shot")).to_have_count(count)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.tagName"))


# ---- finding --------------------------------------------------------------------------------------------------


def test_typing_finds_without_a_key_more_and_going_back_brings_what_was_there(page: Page) -> None:
    page.goto("/")
    found(page, 25)
    page.locator("#q").press_sequentially("sea")
    found(page, 1)
    assert page.url.endswith("/?q=sea")
    assert page.text_content("#say") == "1 picture"
    page.locator("#q").press("Control+a")
    page.locator("#q").press_sequentially("green")
    found(page, 8)
    page.go_back()
    found(page, 25)
    expect(page.locator("#q")).to_have_value("")


def test_rows_are_as_wide_as_the_page_and_their_pictures_as_high_as_each_other(page: Page) -> None:
    page.goto("/")
    boxes = page.evaluate("[...document.querySelectorAll('.pic')].map(e => e.getBoundingClientRect().toJSON())")
    rows: dict[int, list[dict[str, float]]] = {}
    for box in boxes:
        rows.setdefault(round(box["top"]), []).append(box)
    right = page.evaluate("document.querySelector('.grid').getBoundingClientRect().right")
    assert len(rows) > 1
    for row in list(rows.values())[:-1]:
        assert max(box["height"] for box in row) - min(box["height"] for box in row) < 1
        assert abs(max(box["right"] for box in row) - right) < 1


def test_more_comes_while_one_scrolls_and_what_was_there_stays(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 300})
    page.goto("/?k=14")
    page.locator(".pic").first.evaluate("(one) => (one.mine = true)")
    page.locator(".pic").first.focus()
    expect(page.locator("#found .shot")).to_have_count(14)
    assert page.text_content("h1") == "Newest"
    page.mouse.move(600, 200)
    page.mouse.wheel(0, 2_000)
    found(page, 25)
    expect(page.locator("#found .end")).to_have_count(0)
    assert page.evaluate("document.activeElement.mine") is True
    ids = page.locator(".pic").evaluate_all("(all) => all.map((one) => one.id)")
    assert len(set(ids)) == 25
    assert page.url.endswith("/?k=28")


def test_what_comes_later_stands_where_its_date_says(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 300})
    page.goto("/?q=wall&sort=date&k=6&all=1")
    page.locator(".pic").nth(2).focus()
    kept = focused(page)
    page.mouse.move(600, 200)
    page.mouse.wheel(0, 2_000)
    found(page, 24)
    assert focused(page) == kept
    days = page.locator("#found .over small").all_inner_texts()
    assert days == [f"{day} Jun 2024 12:00" for day in range(24, 0, -1)]


def test_more_that_does_not_come_leaves_what_is_shown(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 300})
    page.goto("/?k=14")
    page.route("**/?k=28", lambda route: route.fulfill(status=503, content_type="text/html", body="<main id=main>Busy"))
    page.mouse.move(600, 200)
    page.mouse.wheel(0, 2_000)
    expect(page.locator("#say")).to_have_text("There is more, but it did not come.")
    found(page, 14)
    page.unroute("**/?k=28")
    page.get_by_role("link", name="Show more").click()
    found(page, 25)


def test_the_button_brings_more_and_goes_to_the_first_of_it(page: Page) -> None:
    page.add_init_script("window.IntersectionObserver = class { observe() {} disconnect() {} }")
    page.goto("/?q=wall&k=8&all=1")
    found(page, 8)
    page.get_by_role("link", name="Show more").click()
    found(page, 16)
    ninth = page.locator(".pic").nth(8).get_attribute("id")
    assert focused(page) == ninth
    assert page.text_content("#say") == "16+ pictures"
    assert "k=16" in page.url
    page.go_back()
    found(page, 8)


def test_a_chip_goes_and_the_rest_is_asked(page: Page) -> None:
    page.goto("/?q=red+%2B+green+-+blue")
    assert page.locator(".chip").all_inner_texts() == ["red", "green", "not blue"]
    page.get_by_role("link", name="Remove: green").click()
    expect(page.locator(".chip")).to_have_count(2)
    assert page.url.endswith("/?q=red+-+blue")
    expect(page.locator("#q")).to_have_value("red - blue")


def test_more_and_less_like_a_picture_become_chips_with_its_picture(page: Page) -> None:
    page.goto("/?q=red")
    found(page, 8)
    page.locator(".dots summary").first.click()
    page.get_by_role("link", name="Less like this").first.click()
    chip = page.locator(".chip.item.not")
    expect(chip).to_contain_text("not like this picture")
    assert chip.locator("img").evaluate("image => image.complete || image.decode().then(() => true)")
    chip.get_by_role("link").click()
    expect(page.locator(".chip")).to_have_count(0)


def test_one_menu_is_open_at_a_time_inside_the_window(page: Page) -> None:
    page.goto("/?q=red")
    menus = page.locator(".dots summary")
    for at in (0, 3):
        menus.nth(at).click()
        expect(page.locator(".menu[open]")).to_have_count(1)
        box = page.locator(".menu[open] .pop").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    expect(page.locator(".menu[open]")).to_have_count(0)
    menus.first.click()
    page.locator("h1").click()
    expect(page.locator(".menu[open]")).to_have_count(0)


def test_the_form_of_filters_asks_and_shows_what_is_asked(page: Page) -> None:
    page.goto("/?q=red")
    page.get_by_text("Filters").click()
    page.fill("[name=since]", "2024-06-10")
    page.fill("[name=until]", "2024-06-16")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".chip.filter")).to_have_text("taken 10 Jun 2024 – 16 Jun 2024")
    assert page.input_value("#q") == "red after:2024-06-10 before:2024-06-17"
    found(page, 3)


def test_a_stack_of_near_duplicates_opens(page: Page) -> None:
    page.goto("/?q=sea")
    page.locator(".stack summary").click()
    expect(page.locator(".strip img")).to_be_visible()
    page.locator(".strip a").click()
    expect(page.locator(".stage img")).to_be_visible()


def test_what_was_taken_last_comes_first_when_that_is_asked_for(page: Page) -> None:
    page.goto("/?q=red")
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(".sort [aria-current]")).to_have_text("Newest")
    assert page.url.endswith("sort=date")
    assert captions(page)[0] == "a red wall 21"
    page.fill("#q", "green")
    page.wait_for_url("**/?q=green&sort=date")  # it stays when one types on
    found(page, 8)


def test_what_cannot_be_meant_is_said_and_the_page_goes_on(page: Page) -> None:
    page.goto("/")
    page.fill("#q", "red after:banana")
    expect(page.get_by_role("alert")).to_contain_text("is no date that is understood")
    expect(page.locator(".place mark")).to_have_text("b")
    page.fill("#q", "zebra")
    expect(page.locator("#found")).to_contain_text("Nothing found that fits")
    page.get_by_role("link", name="anyway").click()
    expect(page.locator("#found .shot").first).to_be_visible()


# ---- by picture -----------------------------------------------------------------------------------------------

DROP = """([data, name, where, kind]) => {
  const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
  if (kind === "paste") {
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried, bubbles: true }));
    return;
  }
  for (const type of ["dragenter", "dragover", "drop"]) {
    const target = type === "dragenter" ? document.body : document.querySelector(where);
    target.dispatchEvent(new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true }));
  }
}"""


def carry(page: Page, data: bytes, *, where: str = "body", kind: str = "drop", name: str = "x.jpg") -> None:
    page.evaluate(DROP, [base64.b64encode(data).decode(), name, where, kind])


@pytest.mark.parametrize("way", ["drop", "paste", "choose"])
def test_a_picture_finds_what_is_like_it(page: Page, way: str) -> None:
    page.goto("/?q=red")
    data = picture("green", size=(50, 50))
    if way == "choose":
        page.get_by_label("Search by a picture").first.click()
        page.set_input_files("input[name=picture]", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": data})
    else:
        carry(page, data, where="[data-drop=search]", kind=way)
    expect(page.locator(".chip.picture")).to_be_visible()
    assert "green" in captions(page)[0]
    assert "picture=" in page.url
    page.fill("#q", "red")
    expect(page.locator(".chip.words")).to_have_text("red")
    expect(page.locator(".chip.picture")).to_be_visible()
    page.reload()
    expect(page.locator(".chip")).to_have_count(2)


def test_what_is_no_picture_is_refused_in_words(page: Page) -> None:
    page.goto("/")
    carry(page, b"no picture", where="[data-drop=search]")
    expect(page.get_by_role("alert")).to_be_visible()


# ---- one picture, adding, removing -----------------------------------------------------------------------------


def test_the_keyboard_alone_finds_opens_steps_and_comes_back(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("/")
    assert focused(page) == "q"
    page.keyboard.type("red")
    found(page, 8)
    page.keyboard.press("ArrowDown")
    first = focused(page)
    assert first.startswith("h-")
    page.keyboard.press("ArrowRight")
    second = focused(page)
    page.keyboard.press("ArrowDown")
    below = focused(page)
    assert len({first, second, below}) == 3
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    assert focused(page) == first
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**/item/*")
    assert second.removeprefix("h-") in page.url
    expect(page.locator(".steps")).to_contain_text("2 of 8")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".steps")).to_contain_text("3 of 8")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".steps")).to_contain_text("2 of 8")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?q=red*")
    assert page.evaluate("document.querySelector(':target').id") == second


def test_pictures_are_added_with_progress_and_removed_with_undo(browser: Browser, tmp_path: Path) -> None:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    photos.ingest([item("one.jpg", picture("red"), "a red wall")])
    own = Served(photos)
    try:
        with browser.new_context(base_url=own.address) as context:
            page = context.new_page()
            page.goto("/add")
            files = [("new.jpg", picture("green", size=(80, 60))), ("bad.jpg", b"no picture")]
            sent = [{"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in files]
            page.set_input_files("#add input[type=file]", sent)  # type: ignore[arg-type]
            expect(page.locator("#doing")).to_have_text("1 added, 1 could not be used.")
            expect(page.locator("#troubles")).to_contain_text("bad.jpg")
            assert page.locator("progress").evaluate("bar => bar.value") == 1
            page.get_by_role("link", name="See what was added today").click()
            found(page, 2)
            page.locator(".pic").first.click()
            page.get_by_role("button", name="Remove from the collection").click()
            expect(page.locator(".notice")).to_contain_text("was removed")
            found(page, 1)
            page.get_by_role("button", name="Undo").click()
            found(page, 2)
            assert len(photos) == 2
    finally:
        own.close()


def test_a_picture_that_is_dropped_to_be_added_is_added(browser: Browser, tmp_path: Path) -> None:
    photos = collection.open(str(tmp_path / "tables"), model=FakeEncoder())
    own = Served(photos)
    try:
        with browser.new_context(base_url=own.address) as context:
            page = context.new_page()
            page.goto("/")
            expect(page.locator("h1")).to_have_text("No pictures yet")
            carry(page, picture("green"), where="[data-drop=add]", name="dropped.jpg")
            found(page, 1)
    finally:
        own.close()


# ---- asking ---------------------------------------------------------------------------------------------------


def test_an_answer_comes_with_citations_that_light_up_their_pictures(page: Page, told: Told) -> None:
    page.goto("/ask")
    page.fill("#question", "are there red pictures?")
    page.keyboard.press("Enter")
    turn = page.locator(".turn").first
    expect(turn.locator(".cite")).to_have_count(2)
    expect(turn.locator(".text")).to_have_text("There are red pictures 1 and 2.")
    expect(turn.locator(".by, .soft")).to_contain_text("Written by told")
    turn.locator(".cite").nth(1).hover()
    expect(turn.locator(".shot.lit .no")).to_have_text("2")
    turn.locator(".cite").first.click()
    expect(turn.locator(".shot.lit .no")).to_have_text("1")
    assert page.evaluate("document.activeElement.closest('.shot').dataset.n") == "1"
    page.fill("#question", "and green ones?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".turn").nth(1).locator(".cite")).to_have_count(2)
    page.wait_for_url("**/ask?q=are+there+red+pictures*&q=and+green+ones*")
    page.reload()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".turn").nth(1).locator(".cite")).to_have_count(2)


def test_where_no_picture_shows_it_there_is_no_answer(page: Page) -> None:
    page.goto("/ask")
    page.fill("#question", "is there a zebra?")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".answer.none")).to_be_visible()
    expect(page.locator(".turn .shot")).to_have_count(0)


# ---- for everybody --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [{"viewport": {"width": 375, "height": 740}, "has_touch": True}], indirect=True)
def test_on_a_phone_nothing_is_wider_than_the_screen_and_all_is_in_reach(page: Page) -> None:
    page.goto("/?q=red+-+blue+after:2020")
    one = page.locator(".pic").first.get_attribute("href")
    for address in ("/", "/?q=red+-+blue+after:2020", "/ask", "/add", one or ""):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, address
    page.goto("/?q=red")
    page.locator(".dots summary").first.tap()
    sheet = page.locator(".menu[open] .pop").bounding_box()
    assert sheet is not None
    assert (round(sheet["x"]), round(sheet["width"]), round(sheet["y"] + sheet["height"])) == (0, 375, 740)
    page.get_by_role("link", name="More like this").first.tap()
    expect(page.locator(".chip.item")).to_be_visible()
    page.locator(".filters summary").tap()
    expect(page.get_by_role("button", name="Apply")).to_be_in_viewport()


@pytest.mark.parametrize("context", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_one_can_search_filter_look_and_ask(page: Page) -> None:
    page.goto("/")
    page.fill("#q", "red")
    page.keyboard.press("Enter")
    found(page, 8)
    page.locator(".filters summary").click()
    page.fill("[name=since]", "2024-06-10")
    page.get_by_role("button", name="Apply").click()
    found(page, 5)
    page.locator(".pic").first.click()
    expect(page.locator(".stage img")).to_be_visible()
    page.locator("#back").click()
    page.locator(".by summary").click()
    data = {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": picture("green")}
    page.set_input_files("input[name=picture]", data)
    page.get_by_role("button", name="Search by it").click()
    expect(page.locator(".chip.picture")).to_be_visible()
    page.get_by_role("link", name="Ask").click()
    page.fill("#question", "are there red pictures?")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".cite")).to_have_count(2)
    page.locator(".cite").first.click()
    assert page.url.endswith("#p-1")


@pytest.mark.parametrize("context", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_axe_finds_no_serious_violation(page: Page) -> None:
    page.goto("/?q=red")
    one = page.locator(".pic").first.get_attribute("href")
    states = ["/", "/?q=2:red+%2B+green+-+blue+after:2020", "/?q=zebra", "/?q=(", "/add", "/ask?q=red+walls"]
    states.append(one or "")
    worst = [line for state in states for line in violations(page, state)]
    page.goto("/?q=red")
    page.locator(".dots summary").first.click()
    worst += violations(page, "")
    page.goto("/?q=sea")
    page.get_by_text("Filters").click()
    worst += violations(page, "")
    assert worst == []


def violations(page: Page, address: str) -> list[str]:
    """What axe-core calls serious or worse, on the page as it is or on another one."""
    if address:
        page.goto(address)
    response = Axe().run(page).response
    bad = [one for one in response["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{page.url}: {one['id']}: {node['html'][:200]}" for one in bad for node in one["nodes"][:3]]


# ---- other people's words -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    photos = collection.open(str(tmp_path_factory.mktemp("hostile") / "tables"), model=FakeEncoder())
    said = [item(f"{at}-{text}", picture("red", other=at), text) for at, text in enumerate(STRINGS)]
    named = [item(f"{text}.jpg", picture("green", other=at), **{text: text}) for at, text in enumerate(STRINGS)]
    photos.ingest([*said, *named])
    answers = " ".join(f"{text} [1]." for text in STRINGS)
    served = Served(photos, generator=Told(answers), title=f"<i>{STRINGS[0]}</i>")
    yield served
    served.close()


def test_no_caption_or_name_runs(page: Page, hostile: Served) -> None:
    page.goto(f"{hostile.address}/?k=960&each=1")
    expect(page.locator("#found .shot")).to_have_count(2 * len(STRINGS), timeout=2 * WAIT)
    page.evaluate("for (const menu of document.querySelectorAll('.menu')) menu.open = true")
    for at in (0, len(STRINGS) + 3):
        page.goto(str(page.evaluate(f"document.querySelectorAll('.pic')[{at}].href")))
        page.go_back()
    quiet(page)


def test_no_query_runs_typed_or_in_an_address(page: Page, hostile: Served) -> None:
    page.goto(f"{hostile.address}/?k=1")
    for start in range(0, len(STRINGS), 20):
        q = language.write(Query(raw="", terms=tuple(Term(text=text) for text in STRINGS[start : start + 20])))
        page.goto(f"{hostile.address}/?{_encoded(q, k=1)}")
        page.goto(f"{hostile.address}/?{_encoded(' '.join(STRINGS[start : start + 20]), k=1)}")
    for text in STRINGS[::24]:
        page.fill("#q", text)
        page.keyboard.press("Enter")
        expect(page.locator("html")).to_have_class("js")  # and no longer busy
    quiet(page)


def test_no_answer_runs_streamed_or_written_by_the_server(page: Page, hostile: Served) -> None:
    question = "are there red pictures?"
    page.goto(f"{hostile.address}/ask")
    page.fill("#question", question)
    page.keyboard.press("Enter")
    expect(page.locator(".turn:not(.writing) .cite").first).to_be_visible(timeout=2 * WAIT)
    page.goto(f"{hostile.address}/ask?{_encoded(question)}")
    expect(page.locator(".cite").first).to_be_visible()
    page.goto(f"{hostile.address}/ask?{_encoded(' '.join(STRINGS[:40]))}")
    quiet(page)


def _encoded(q: str, **more: int) -> str:
    from urllib.parse import urlencode

    return urlencode({"q": q, **more})


def quiet(page: Page) -> None:
    """Time for what would happen late; that nothing did is checked by `context`."""
    time.sleep(0.3)
    assert not page.evaluate("document.querySelectorAll('main script, main iframe, main style, main object').length")
