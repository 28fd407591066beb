"""Thumbnails that are asked for at the same moment are read together, and nobody's trouble is somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import pytest

from sightline.schema import Thumbnail
from sightline.thumbs import Thumbs
from sightline.workers import Busy, Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers("test", threads=2, most=2)
    yield pool
    pool.close()


class Table:
    """Knows what begins with t. `reads` are the ids of each read, `trouble` is raised once."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.reads: list[list[str]] = []
        self.trouble = trouble

    def __call__(self, idents: Sequence[str]) -> dict[str, Thumbnail]:
        self.reads.append(sorted(idents))
        if trouble := self.trouble:
            self.trouble = None
            raise trouble
        return {ident: Thumbnail(ident.encode(), "v") for ident in idents if ident.startswith("t")}


def asked(workers: Workers, table: Table, ask: Callable[[Thumbs], Coroutine[Any, Any, Any]]) -> Any:
    async def ask_within() -> Any:
        return await ask(Thumbs(workers, table))

    return asyncio.run(ask_within())


def test_a_page_of_thumbnails_is_one_read(workers: Workers) -> None:
    async def page(thumbs: Thumbs) -> list[Thumbnail | None]:
        return await asyncio.gather(*(thumbs.get(f"t{number:02}") for number in range(40)), thumbs.get("other"))

    table = Table()
    *found, missing = asked(workers, table, page)
    assert [one.data for one in found] == [b"t%02d" % number for number in range(40)]
    assert missing is None
    assert table.reads == [["other", *(f"t{number:02}" for number in range(40))]]


def test_what_is_asked_for_while_a_read_is_under_way_is_the_next_read(workers: Workers) -> None:
    async def late(thumbs: Thumbs) -> None:
        first = asyncio.ensure_future(thumbs.get("t1"))
        while not table.reads:
            await asyncio.sleep(0)
        await asyncio.gather(first, thumbs.get("t2"), thumbs.get("t3"))

    table = Table()
    asked(workers, table, late)
    assert table.reads == [["t1"], ["t2", "t3"]]


def test_the_same_thumbnail_is_read_once_for_all_who_wait_for_it(workers: Workers) -> None:
    async def crowd(thumbs: Thumbs) -> list[Thumbnail | None]:
        return await asyncio.gather(*(thumbs.get("t1") for _ in range(5)))

    table = Table()
    assert asked(workers, table, crowd) == [Thumbnail(b"t1", "v")] * 5
    assert table.reads == [["t1"]]


def test_who_goes_away_takes_nothing_from_the_others(workers: Workers) -> None:
    async def impatient(thumbs: Thumbs) -> Thumbnail | None:
        gone = asyncio.ensure_future(thumbs.get("t1"))
        stays = asyncio.ensure_future(thumbs.get("t1"))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asked(workers, Table(), impatient) == Thumbnail(b"t1", "v")


def test_a_read_that_fails_is_told_to_those_who_waited_and_the_next_one_is_tried(workers: Workers) -> None:
    async def twice(thumbs: Thumbs) -> tuple[list[Any], Thumbnail | None]:
        failed = await asyncio.gather(thumbs.get("t1"), thumbs.get("t2"), return_exceptions=True)
        return failed, await thumbs.get("t1")

    trouble = OSError("no disk")
    assert asked(workers, Table(trouble), twice) == ([trouble, trouble], Thumbnail(b"t1", "v"))


def test_more_than_the_threads_can_bear_is_refused(workers: Workers) -> None:
    async def crowded(thumbs: Thumbs) -> None:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold() -> None:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

        held = [asyncio.ensure_future(workers.run(hold)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await thumbs.get("t1")
        release.set()
        await asyncio.gather(*held)

    asked(workers, Table(), crowded)
