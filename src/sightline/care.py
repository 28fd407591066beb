"""The commands that look after things: `info`, `models`, `remove`, `collections`. cli.py registers them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline import render
from sightline.errors import SightlineError, UsageError
from sightline.flags import NOTHING_FOUND, CollectionFlag, JsonFlag, examples, open_collection
from sightline.progress import transfer

if TYPE_CHECKING:
    from sightline.encoders import Plan

INFO = examples("sightline info", "sightline info -c data/tables#family --json")


def info(collection: CollectionFlag = None, as_json: JsonFlag = False) -> None:
    """Say what a collection holds."""
    facts = open_collection(collection).info().to_json()
    if as_json:
        render.out(render.dump(facts))
    else:
        render.table({**facts, "bytes": render.megabytes(facts["bytes"])} if render.on_terminal() else facts)


models = typer.Typer(help="Say which models there are, and fetch them.", rich_markup_mode=None)


@models.callback(
    invoke_without_command=True,
    epilog=examples(
        "sightline models",
        "sightline models fetch ViT-B-16-SigLIP2__webli",
        "sightline models info pocket",
        "sightline models list --json",
    ),
)
def models_(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    if ctx.invoked_subcommand is None:
        models_list(as_json)


@models.command("list", epilog=examples("sightline models list", "sightline models list --json"))
def models_list(as_json: JsonFlag = False) -> None:
    """List the models that are known by name, and what they cost and find."""
    from sightline.config import settings
    from sightline.encoders import MODELS, RECOMMENDED

    folder = settings().models_dir
    found = [_model_row(name, folder) for name in dict.fromkeys([*MODELS, *_folders(folder)])]
    if as_json:
        render.out(render.dump({"models": found, "recommended": RECOMMENDED, "folder": str(folder)}))
        return
    header = ("model", "here", "recall %", "relative time", "licence", "note")
    names = ("name", "here", "recall", "relative_time", "licence", "note")
    render.rows(header, [[row[name] for name in names] for row in found])
    if render.on_terminal():
        render.note(
            f"a model is a folder in {folder}, or any folder given with --model; more: sightline models fetch NAME"
        )


@models.command("info", epilog=examples("sightline models info pocket", "sightline models info ./my-model --json"))
def models_info(
    name: Annotated[str, typer.Argument(metavar="NAME|FOLDER", hidden=True)],
    as_json: JsonFlag = False,
) -> None:
    """Say what a model holds; NAME is a known one or FOLDER any model folder."""
    from sightline.config import settings
    from sightline.encoders import describe, find_model

    at = settings()
    card = describe(find_model(name, at.models_dir), cache_dir=at.cache)
    facts = {
        "name": card.name,
        "dim": card.dim,
        "image_size": card.image_size,
        "context_length": card.context_length,
        "licence": card.licence,
        "bytes": card.bytes,
        "fingerprint": card.fingerprint,
        "folder": str(card.folder),
        "fetched": _provenance(card.folder),
    }
    if as_json:
        render.out(render.dump({**facts, "facts": dict(card.facts)}))
    else:
        render.table({**facts, "bytes": render.megabytes(card.bytes)} if render.on_terminal() else facts)


@models.command(
    "fetch",
    epilog=examples(
        "sightline models fetch ViT-B-16-SigLIP2__webli",
        "sightline models fetch owner/my-clip --json",
    ),
)
def models_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", hidden=True)],
    revision: Annotated[
        str | None, typer.Option(metavar="REV", help="Branch, tag or commit. [default: the newest]")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch a model from the hub, checked against the hub's digests.

    NAME is a model of immich-app (see `sightline models list` and the hub), or OWNER/NAME. A fetch that was stopped
    goes on where it was. SIGHTLINE_OFFLINE=1 forbids it.
    """
    from sightline.config import settings
    from sightline.encoders import fetch_model

    at = settings()
    with transfer() as bar:
        try:
            done = fetch_model(
                name,
                at.models_dir,
                revision=revision,
                offline=at.offline,
                started=_announce,
                progress=lambda file, now, total: bar(file.path, now, total),
            )
        except KeyboardInterrupt:
            raise _Stopped(
                f"{name} is not whole yet", hint="run the same command again: it goes on from there"
            ) from None
    facts = done.to_json()
    if as_json:
        render.out(render.dump(facts))
    else:
        size = render.megabytes(done.bytes) if render.on_terminal() else done.bytes
        render.table({**facts, "bytes": size, "files": len(done.files)})
    render.note(f"use it with --model {done.name}")


class _Stopped(SightlineError):
    exit_code = 130  # as a shell says it of Ctrl-C


def _announce(plan: Plan) -> None:
    if plan.here:
        render.note(f"{plan.name} is here already, at the hub's commit {plan.source.commit[:12]}")
        return
    size = render.megabytes(plan.bytes)
    render.note(f"{plan.source.repo} at {plan.source.commit[:12]}: {render.count(len(plan.files), 'file')}, {size}")
    render.note(f"licence: {plan.licence or 'not stated; look at its page before you use it'}")


def _provenance(folder: Path) -> str | None:
    from sightline.encoders.folder import read_fetched

    record = read_fetched(folder)
    return f"{record.get('repo')}@{record.get('commit')} on {record.get('fetched_at')}" if record else None


REMOVE = examples(
    "sightline remove ~/Pictures/old.jpg",
    "sightline search blurry --json | jq -r '.hits[].id' | xargs sightline remove",
)


def remove(
    uri: Annotated[list[str], typer.Argument(metavar="URI", hidden=True)],
    collection: CollectionFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take pictures out of a collection. Files are never touched.

    URI is a path, a uri or an id, as `sightline search` shows them.
    """
    target = open_collection(collection)
    removed = target.remove([_uri(one) for one in uri])
    if as_json:
        render.out(render.dump({"address": target.address, "removed": removed, "rows": len(target)}))
    elif removed:
        render.table({"removed": removed})
    if not removed:
        render.note(f"nothing of that is in {target.address}")
        raise typer.Exit(NOTHING_FOUND)


collections = typer.Typer(help="List collections, or drop one.", rich_markup_mode=None)


@collections.callback(
    invoke_without_command=True,
    epilog=examples("sightline collections", "sightline collections drop data/tables#old --yes"),
)
def collections_(
    ctx: typer.Context,
    folder: Annotated[
        str | None, typer.Option("--in", metavar="FOLDER", help="Where to look. [default: data/tables]")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    if ctx.invoked_subcommand is not None:
        return
    from sightline.collection import list_collections
    from sightline.config import settings

    where = folder or settings().collection.partition("#")[0]
    found = [_collection_row(address) for address in list_collections(where)]
    if as_json:
        render.out(render.dump({"collections": found}))
    elif found:
        render.rows(("collection", "pictures", "model"), [list(row.values()) for row in found])
    else:
        render.note(f"no collections in {where}")


@collections.command("drop", epilog=examples("sightline collections drop data/tables#old --yes"))
def collections_drop(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", hidden=True)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete the collection at ADDRESS. The files it was made from stay."""
    from sightline.collection import drop_collection

    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"dropping {address} cannot be undone", hint="add --yes to do it")
        typer.confirm(f"Delete the collection {render.plain(address)}? It cannot be undone.", abort=True, err=True)
    drop_collection(address)
    if as_json:
        render.out(render.dump({"dropped": address}))
    else:
        render.table({"dropped": address})


def _uri(asked: str) -> str:
    """A path becomes its uri; a uri or an id stays what it is."""
    from sightline.sources import file_uri

    if not os.path.lexists(asked) and re.match(r"[a-z][a-z0-9+.-]+:|[0-9a-f]{32}$", asked):
        return asked
    return file_uri(os.path.expanduser(asked))


def _folders(models_dir: Path) -> list[str]:
    folders = models_dir.iterdir() if models_dir.is_dir() else ()
    return sorted(path.name for path in folders if path.is_dir() and not path.name.startswith("."))


def _model_row(name: str, models_dir: Path) -> dict[str, Any]:
    from sightline.encoders import MODELS, KnownModel, find_model

    known = MODELS.get(name, KnownModel(name, None, None, None, None))
    try:
        here = find_model(name, models_dir).is_dir()
    except SightlineError:
        here = False
    return {
        "name": name,
        "here": here,
        "recall": known.recall,
        "relative_time": known.relative_time,
        "licence": known.licence,
        "repo": known.repo,
        "note": known.note,
    }


def _collection_row(address: str) -> dict[str, Any]:
    try:
        facts = open_collection(address).info()
        return {"address": address, "rows": facts.rows, "encoder": facts.encoder}
    except SightlineError as error:
        return {"address": address, "rows": None, "encoder": f"({error})"}
