"""The main states of the page as pictures, to be looked at and shown in docs/page.md; no test runs this.

python tests/screenshots.py data/tables#streets docs/images
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from test_browser import CHROMIUM, FLAGS

from sightline import collection, web

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 375, "height": 740}, "device_scale_factor": 2, "has_touch": True}
DARK: dict[str, Any] = {"color_scheme": "dark"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="the collection that is shown")
    parser.add_argument("out", type=Path)
    parser.add_argument("--query", default="a red car - at night")
    parser.add_argument("--place", default="a stop sign", help="what is looked for on the map")
    parser.add_argument("--question", default="how many stop signs are there?")
    parser.add_argument("--all", action="store_true", help="every state in both schemes and widths, to be looked at")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    config = uvicorn.Config(web.create_app(collection.open(given.address)), port=7869, log_level="error", ws="none")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, window in (ALL if given.all else SHOWN).items():
            shoot(browser, name, window, given)
        browser.close()
    server.should_exit = True


SHOWN = {"search": DESKTOP, "item": {**DESKTOP, **DARK}, "ask": DESKTOP, "search-phone": {**PHONE, **DARK}}
SHOWN |= {"map": DESKTOP, "mapped": {**DESKTOP, **DARK}, "mapped-phone": {**PHONE, **DARK}}
ALL = {
    f"{state}-{where}-{scheme}": {**window, "color_scheme": scheme}
    for state in ("home", "search", "menu", "filters", "nothing", "problem", "item", "ask", "add", "map", "mapped")
    for where, window in (("desktop", DESKTOP), ("phone", PHONE))
    for scheme in ("light", "dark")
}


def shoot(browser: Browser, name: str, window: dict[str, Any], given: argparse.Namespace) -> None:
    with browser.new_context(base_url="http://127.0.0.1:7869", **window) as context:
        context.set_default_timeout(120_000)
        page = context.new_page()
        go(page, name.split("-")[0], given)
        page.wait_for_load_state("networkidle")
        page.evaluate("Promise.all([...document.images].slice(0, 12).map(one => one.decode().catch(() => 0)))")
        page.wait_for_timeout(400)
        path = given.out / f"page-{name}.jpg"
        page.screenshot(path=path, type="jpeg", quality=82)
        print(path)


def go(page: Page, state: str, given: argparse.Namespace) -> None:
    page.goto({"add": "/add", "ask": "/ask", "map": "/map", "mapped": "/map"}.get(state, "/"))
    if state in ("search", "menu", "filters", "item"):
        page.fill("#q", given.query)
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=*")
        page.locator(".chip, .shot").first.wait_for()
        page.keyboard.press("ArrowDown")
    if state == "menu":
        page.locator(".dots summary").nth(1).click()
    elif state == "filters":
        page.locator(".filters summary").click()
    elif state == "item":
        page.locator(".pic").nth(1).click()
        page.wait_for_url("**/item/*")
    elif state in ("nothing", "problem"):
        page.goto("/?q=an+elephant+on+the+road" if state == "nothing" else "/?q=a+bus+after:6/3/2024")
    elif state in ("map", "mapped"):
        page.locator("#map.ready").wait_for()
        if state == "mapped":
            page.fill("#q", given.place)
            page.locator("#found[data-spot]").wait_for()
            page.locator("canvas").focus()
            page.keyboard.press("ArrowRight")
        while page.evaluate(
            "(({loading, wanted}) => loading.size + wanted.length)(document.querySelector('#map').view)"
        ):
            page.wait_for_timeout(100)
    elif state == "ask":
        page.fill("#question", given.question)
        page.keyboard.press("Enter")
        page.locator(".turn:not(.writing)").wait_for()


if __name__ == "__main__":
    main()
