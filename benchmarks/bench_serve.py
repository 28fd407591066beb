"""How soon the server answers at 100,000 pictures: `/api/search` under a steady load, and the page in a browser.

    python benchmarks/bench_serve.py --out benchmarks/results/serve.json

A collection of generated unit vectors, captions and thumbnails is made once under `--folder`, served by
`sightline serve` in a process of its own, and asked on schedule (open loop): a request that is late because the ones
before it were slow counts from when it was due. Every query is new, so that nothing answers from a cache. `alone` are
searches one after the other on the same server.

`screen` (with `--browser`): in chromium, 1280 x 800, somebody types a query. Counted from the end of the pause after
the last key, when the page asks the server: `grid` until the frame with the new results is drawn, `first` and `all`
until the first and the last thumbnail in sight has come. `weight` is the page with its style and scripts, unpacked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from bench_encoders import machine
from PIL import Image

from sightline import index, media
from sightline.choice import manifest_of
from sightline.config import settings
from sightline.encoders import POCKET, load_encoder
from sightline.schema import Encoded, Item, vector_digest
from sightline.sources import HeldBytes
from sightline.store import Address, Store

THINGS = ("car", "dog", "tree", "house", "boat", "bridge", "child", "bus", "lamp", "river")
LOOKS = ("red", "small", "old", "bright", "green", "wet", "yellow", "long", "quiet", "broken")
PLACES = ("at night", "in the snow", "by the sea", "on a hill", "in a street", "under trees", "at dawn", "in the rain")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--browser", default="/usr/bin/chromium", help="empty: none")
    parser.add_argument("--typed", type=int, default=60, help="queries that are typed in the browser")
    parser.add_argument("--folder", type=Path, default=Path(".cache/bench-serve"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    address = f"{given.folder}#rows{given.rows}"
    fill(address, given.rows)
    with Served(address) as server:
        document: dict[str, Any] = {
            "command": f"bench_serve.py --rows {given.rows} --rate {given.rate:g} --seconds {given.seconds:g}",
            "machine": machine(),
            "rows": given.rows,
            "alone": alone(server.url, 50),
            "steady": asyncio.run(steady(server.url, given.rate, given.seconds)),
        }
        if given.browser:
            document["screen"] = screen(server.url, given.browser, given.typed)
    print(json.dumps(document, indent=2))
    if given.out:
        given.out.write_text(json.dumps(document, indent=2) + "\n")


def words(rng: np.random.Generator) -> str:
    return f"a {rng.choice(LOOKS)} {rng.choice(THINGS)} {rng.choice(PLACES)} {rng.integers(10_000)}"


def fill(address: str, rows: int) -> None:
    """Clustered unit vectors around two hundred centres, as pictures of a life are."""
    store = Store(Address.parse(address))
    here = settings()
    encoder = load_encoder(POCKET, models_dir=here.models_dir, cache_dir=here.cache)
    if store.exists and len(store) == rows and store.manifest.fingerprint == encoder.fingerprint:
        return
    if store.exists:
        store.drop()
    store.create(manifest_of(encoder))
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(200, encoder.dim))
    for start in range(0, rows, 5_000):
        count = min(5_000, rows - start)
        vectors = centres[rng.integers(200, size=count)] + rng.normal(size=(count, encoder.dim))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        shown = [thumbnail(rng) for _ in range(50)]
        store.upsert([row(start + at, vector, words(rng), shown[at % 50]) for at, vector in enumerate(vectors)])
    index.keep_up(store, always=True)


def row(number: int, vector: np.ndarray, caption: str, thumbnail: bytes) -> Encoded:
    item = Item(f"made:{number}", f"{number}.jpg", HeldBytes(b""), caption)
    return Encoded(item, vector_digest(vector) * 4, 0, vector, thumbnail, None, 640, 480)


def thumbnail(rng: np.random.Generator) -> bytes:
    """Blots of colour with a little grain: 256 x 192, about as many bytes as a photograph's."""
    blots = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((256, 192), Image.Resampling.BICUBIC)
    grain = np.asarray(blots, np.int16) + rng.normal(0, 6, (192, 256, 1)).astype(np.int16)
    return media.jpeg(Image.fromarray(grain.clip(0, 255).astype(np.uint8)), longest=media.THUMBNAIL)


class Served:
    """`sightline serve` of a collection, warm."""

    def __init__(self, address: str) -> None:
        command = [sys.executable, "-m", "sightline", "serve", "-c", address, "--port", "0", "--read-only"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        found = re.search(r"http://\S+:\d+", self._process.stdout.readline())
        assert found, "the server did not say where it is"
        self.url = found[0]

    def __enter__(self) -> Served:
        while httpx2.get(f"{self.url}/healthz").status_code != 200:
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def alone(url: str, count: int) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    taken = []
    with httpx2.Client(base_url=url, timeout=60) as client:
        for _ in range(count):
            began = time.perf_counter()
            client.get("/api/search", params={"q": words(rng)}).raise_for_status()
            taken.append(time.perf_counter() - began)
    return summary(taken)


async def steady(url: str, rate: float, seconds: float) -> dict[str, Any]:
    """`rate` requests a second, whatever becomes of those before."""
    rng = np.random.default_rng(2)
    taken: list[float] = []
    statuses: Counter[int | str] = Counter()
    async with httpx2.AsyncClient(base_url=url, timeout=60, limits=httpx2.Limits(max_connections=200)) as client:
        began = time.perf_counter()

        async def ask(due: float, query: str) -> None:
            await asyncio.sleep(began + due - time.perf_counter())
            try:
                statuses[(await client.get("/api/search", params={"q": query})).status_code] += 1
            except httpx2.TransportError as error:
                statuses[type(error).__name__] += 1
            taken.append(time.perf_counter() - began - due)

        await asyncio.gather(*(ask(at / rate, words(rng)) for at in range(int(rate * seconds))))
    return {"rate": rate, "seconds": seconds, "statuses": dict(statuses), **summary(taken)}


WATCH = """
window.watch = {};
let found = null;  // the grid that the last request brought
const fetched = window.fetch;
window.fetch = (...given) => {
  watch.asked = performance.now();
  found = null;
  return fetched(...given);
};
const are_there = () => [...found.querySelectorAll(".pic img")].every(
  (one) => one.complete || one.getBoundingClientRect().top >= innerHeight);
const end = () => watch.grid && watch.all && are_there() && watch.done?.(watch);
new MutationObserver((changes) => {
  const added = changes.flatMap((change) => [...change.addedNodes]).find((node) => node.id === "found");
  if (!added) return;
  found = added;
  requestAnimationFrame(() => setTimeout(() => { watch.grid = performance.now(); end(); }));
}).observe(document, { childList: true, subtree: true });
document.addEventListener("load", ({ target }) => {
  if (!found?.contains(target)) return;
  watch.all = performance.now();
  watch.first ??= watch.all;
  end();
}, true);
"""
TYPED = """(words) => new Promise((done) => {
  window.watch = { done };
  const box = document.querySelector("#q");
  box.value = words;
  box.dispatchEvent(new InputEvent("input", { bubbles: true }));
})"""
WEIGHT = """Object.fromEntries(performance.getEntries().filter((one) => "decodedBodySize" in one)
  .filter((one) => !new URL(one.name).pathname.startsWith("/thumb/"))
  .map((one) => [new URL(one.name).pathname, one.decodedBodySize]))"""


def screen(url: str, browser: str, count: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    rng = np.random.default_rng(3)
    times: dict[str, list[float]] = {"grid": [], "first": [], "all": []}
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=browser, args=FLAGS) as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        page.goto(f"{url}/?q=a+red+car&all=1")
        page.wait_for_load_state("networkidle")
        weight = page.evaluate(WEIGHT)
        page.evaluate(f"() => {{ {WATCH} }}")
        for _ in range(count + 3):
            seen = page.evaluate(TYPED, words(rng))  # the page tells when it is done: to be asked would slow it down
            for name, taken in times.items():
                taken.append((seen[name] - seen["asked"]) / 1000)
            time.sleep(0.2)
    told = {name: summary(taken[3:]) for name, taken in times.items()}  # without the first ones, which warm it up
    return {**told, "weight": {"bytes": sum(weight.values()), "of": weight}}


FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


def summary(taken: list[float]) -> dict[str, Any]:
    p50, p95, p99 = (round(1000 * float(value), 1) for value in np.percentile(taken, (50, 95, 99)))
    return {"n": len(taken), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


if __name__ == "__main__":
    main()
