"""Commands that keep a collection whole: `dups`, `verify`, `optimize`, `history`, `restore`. cli.py registers them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from sightline import render
from sightline.flags import NOTHING_FOUND, CollectionFlag, JsonFlag, examples, open_collection

PROBLEMS = 1  # exit code

DUPS = examples(
    "sightline dups",
    "sightline dups --json | jq -r '.groups[].members[] | select(.verdict == \"same\") | .uri'",
    "sightline dups | awk -F'\\t' '$3 != \"keep\" {print $2}'    what could go",
)


def dups(collection: CollectionFlag = None, as_json: JsonFlag = False) -> None:
    """List pictures that show the same, in groups: saved again, resized, cropped, the next frame of a burst.

    Of each group one is to be kept, the largest, then the oldest; `same` has its very bytes, `alike` is like it. In a
    pipe: group, uri, keep|same|alike, width, height, bytes, id, tab-separated. Nothing is ever deleted.
    """
    found = open_collection(collection).dups()
    if as_json:
        render.out(render.dump(found.to_json()))
    elif found.groups:
        render.duplicates(found)
    others = [one for group in found.groups for one in group.others]
    if not others:
        render.note(f"no near-duplicates among {render.count(found.rows, 'picture')} in {found.address}")
        raise typer.Exit(NOTHING_FOUND)
    size = render.megabytes(sum(one.size or 0 for one in others))
    groups = render.count(len(found.groups), "group")
    render.note(f"{groups} of near-duplicates; without the {len(others):,} not to be kept: {size} less")


VERIFY = examples(
    "sightline verify", "sightline verify --sources --json", "sightline index --rebuild    mend what it names"
)


def verify(
    collection: CollectionFlag = None,
    sources: Annotated[bool, typer.Option("--sources", help="Also read every source file again.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check every vector and stored picture against its digest. Ends 1 when something is wrong; writes nothing.

    Files that changed or went since they were indexed are said on stderr: `sightline index` takes care of them.
    """
    target = open_collection(collection)
    told = len(target.notices)
    found = target.verify(sources=sources)
    for line in target.notices[told:]:
        render.note(line)
    if as_json:
        render.out(render.dump(found.to_json()))
    else:
        if found.problems:
            render.rows(("id", "problem"), [(one.id, one.problem) for one in found.problems])
        else:
            render.table({"rows": found.rows, "checked": found.checked, "problems": 0})
        for one in found.notices:
            render.note(f"{one.id}: {one.problem}")
    if found.problems:
        render.note(f"{render.count(len(found.problems), 'problem')}; mend with: sightline index --rebuild")
        raise typer.Exit(PROBLEMS)


OPTIMIZE = examples("sightline optimize", "sightline optimize --older-than 0    keep nothing but the newest version")


def optimize(
    collection: CollectionFlag = None,
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than", metavar="DAYS", min=0, max=36500, help="Forget older versions. [default: history_days, 7]"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compact a collection, bring its index up to date and give space back.

    What was removed or replaced stays on the disk until its version is forgotten; then it is gone for good.
    """
    keep = None if older_than is None else timedelta(days=older_than)
    target = open_collection(collection)
    done = target.optimize(older_than=keep)
    if keep is not None and keep < timedelta(hours=1):
        render.note("other programs that had this collection open may have to open it again")
    elif done.bytes > done.bytes_before:
        render.note("the versions before are kept for now, so that they can be restored; --older-than 0 drops them")
    if as_json:
        render.out(render.dump(done.to_json()))
        return
    facts = done.to_json()
    if render.on_terminal():
        facts |= {name: render.megabytes(facts[name]) for name in ("bytes_before", "bytes")}
    render.table(facts)


HISTORY = examples("sightline history", "sightline history --json | jq '.versions[0]'")


def history(collection: CollectionFlag = None, as_json: JsonFlag = False) -> None:
    """List the versions of a collection that can be restored, newest first, and what each changed."""
    target = open_collection(collection)
    found = target.history()
    if as_json:
        render.out(render.dump({"address": target.address, "versions": [one.to_json() for one in found]}))
        return
    header = ("version", "when", "rows", "operation", "added", "updated", "removed")
    render.rows(
        header,
        [
            (
                one.version,
                one.at.astimezone().isoformat(sep=" ", timespec="seconds"),
                one.rows,
                one.operation,
                one.added,
                one.updated,
                one.removed,
            )
            for one in found
        ],
    )


RESTORE = examples("sightline history", "sightline restore 12")


def restore(
    version: Annotated[int, typer.Argument(metavar="VERSION", hidden=True, min=0)],
    collection: CollectionFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring back the rows and the index of a former VERSION. Files are never touched; a restore can be undone."""
    target = open_collection(collection)
    before = target.info().version
    now = target.restore(version)
    facts = {"address": target.address, "restored": version, "version": now, "rows": len(target)}
    if as_json:
        render.out(render.dump(facts))
    else:
        render.table(facts)
        render.note(f"to undo this: sightline restore {before}")
