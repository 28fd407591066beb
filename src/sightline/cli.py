"""The command line: flags become a call on a Collection, and what comes back is rendered. Nothing else happens here.

Every command imports what it needs inside itself, so that `sightline --help` answers at once. Results go to stdout,
notices to stderr; `main` is the one place where an error becomes a line and an exit code:
0 fine, 1 failure, 2 usage, 3 nothing found, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sightline import answering, care, mapping, measure, render, serving, teach, upkeep
from sightline.errors import QueryError, SightlineError, UsageError
from sightline.flags import (
    MIN_RELEVANCE,
    NOTHING_FOUND,
    CollectionFlag,
    JsonFlag,
    SaveFlag,
    check_figure,
    examples,
    listed,
    open_collection,
)
from sightline.progress import ticker

if TYPE_CHECKING:
    from sightline.collection import Collection
    from sightline.schema import Hit, Hits, Item

STOPPED = 130

app = typer.Typer(
    name="sightline",
    help="Search your own pictures by words and by picture, offline.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would triple the time of --help
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; never raises, never shows a bare traceback."""
    given = list(sys.argv[1:] if args is None else args)
    render.make_safe()
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_args, **_kwargs: render.note(f"warning: {message}")
        return _run(given)


def _run(args: list[str]) -> int:
    as_json = "--json" in args
    try:
        code = app(args=args, prog_name="sightline", standalone_mode=False)
    except SightlineError as error:
        kind = "stopped" if error.exit_code == STOPPED else "error"
        place = (error.text, error.at) if isinstance(error, QueryError) and error.at is not None else None
        render.error(str(error), error.hint, kind=kind, name=type(error).__name__, as_json=as_json, place=place)
        return error.exit_code
    except typer.TyperException as error:  # a flag or argument that the parser cannot take
        path = getattr(getattr(error, "ctx", None), "command_path", "sightline")
        render.error(error.format_message(), f"{path} --help", name="UsageError", as_json=as_json)
        return error.exit_code
    except typer.Abort:
        render.note("stopped; nothing was done")
        return 1
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        render.error(f"{error.strerror or error}{where}", name=type(error).__name__, as_json=as_json)
        return 1
    except Exception as error:
        if "--debug" in args:
            raise
        hint = f"this is a fault of Sightline; please report what `sightline --debug {args[0]} …` shows"
        message = f"unexpected {type(error).__name__}: {str(error)[:300]}"
        render.error(message, hint, name=type(error).__name__, as_json=as_json)
        return 1
    if code == STOPPED:
        render.note("stopped")
    return code if isinstance(code, int) else 0


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        render.out(f"sightline {version('sightline')}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "sightline demo                            the whole story in a minute",
        "sightline index ~/Pictures                put a folder into the collection",
        'sightline search "a dog on the beach"     find pictures by words',
        'sightline ask "where was the dog?"        an answer, with the pictures it rests on',
        "sightline search ./dog.jpg                find pictures like this one",
    ),
)
def sightline_(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(2)


# ---- index ----------------------------------------------------------------------------------------------------


@app.command(
    epilog=examples(
        "sightline index ~/Pictures",
        "sightline index holiday/ scans/ -c data/tables#family --exclude '*.gif'",
        "sightline index ~/Pictures --prune           drop what is no longer there",
        "sightline index --ocr                        read the text in all pictures that were never read",
        "sightline index --rebuild --model ./my-model encode everything again",
        "sightline index 'parquet:data/*.parquet' --json",
        "sightline index hf:OWNER/NAME:train          a data set of the hub",
    )
)
def index(
    source: Annotated[list[str] | None, typer.Argument(metavar="SOURCE", hidden=True)] = None,
    collection: CollectionFlag = None,
    model: Annotated[str | None, typer.Option(metavar="NAME|FOLDER", help="Encoder of a new collection.")] = None,
    keep: Annotated[
        Literal["original", "preview", "none"] | None,
        typer.Option(help="Which picture is stored. [default: preview of files, original of data sets]"),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove pictures that the source no longer has.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Prune even more than a fifth of the pictures.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Encode the whole collection again; needs no SOURCE.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try skipped files again.")] = False,
    rehash: Annotated[bool, typer.Option("--rehash", help="Read every file, also where size and time agree.")] = False,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Leave files out, as in .gitignore; repeatable.")
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="Device of the runtime, e.g. cpu or gpu.")] = None,
    runtime: Annotated[
        Literal["openvino", "onnxruntime"] | None, typer.Option(help="Inference runtime. [default: the faster]")
    ] = None,
    precision: Annotated[str | None, typer.Option(metavar="NAME", help="f32, bf16, … [default: the fastest]")] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Pictures per forward pass.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Read the text in pictures too; without SOURCE in all that were never read.")
    ] = False,
    progress: Annotated[
        Literal["auto", "json", "none"], typer.Option(help="Progress on stderr: a bar, JSON lines, or nothing.")
    ] = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Put pictures into a collection. Run it again at any time: only what changed is done.

    SOURCE is a folder, a file, parquet:GLOB, hf:OWNER/NAME[@REVISION][:SPLIT][?image=COLUMN&text=COLUMN], wds:GLOB
    (webdataset tar files), urls:FILE (one address a line), or streets (the bundled scenes).
    """
    if not source and not rebuild and not ocr:
        raise UsageError("no SOURCE was given", hint="for example: sightline index ~/Pictures")
    if ocr and (rebuild or (not source and (prune or dry_run))):
        other = "--rebuild" if rebuild else "--prune" if prune else "--dry-run"
        raise UsageError(
            f"--ocr without SOURCE reads what was never read, and does not go together with {other}",
            hint="run `sightline index --ocr` alone; --rebuild keeps what was read",
        )
    if rebuild and (source or prune or dry_run):
        raise UsageError(
            "--rebuild encodes what is already in the collection: it takes no SOURCE, --prune or --dry-run",
            hint="run `sightline index --rebuild` first, then index the SOURCE",
        )
    target = open_collection(
        collection,
        model=None if rebuild else model,
        keep=keep,
        device=device,
        runtime=runtime,
        precision=precision,
        batch_size=batch_size,
    )
    told = len(target.notices)
    if source:
        _announce(target, source)
    with ticker(progress, count=lambda: len(target) if rebuild else listed(source or (), exclude or ())) as tell:
        try:
            if rebuild:
                report = target.rebuild(model=model, progress=tell)
            elif not source:
                report = target.ocr(retry=retry, progress=tell)
            else:
                report = target.ingest(
                    *(source or ()),
                    keep=keep,
                    prune=prune,
                    yes=yes,
                    rehash=rehash,
                    retry=retry,
                    exclude=exclude or (),
                    dry_run=dry_run,
                    ocr=ocr,
                    progress=tell,
                )
        except KeyboardInterrupt:
            raise _Stopped(tell.committed, target.address) from None
    for line in report.notices[told:]:
        render.note(line)
    if as_json:
        render.out(render.dump(report.to_json()))
    else:
        render.report(report, dry_run=dry_run)


class _Stopped(SightlineError):
    exit_code = STOPPED

    def __init__(self, committed: int, address: str) -> None:
        super().__init__(
            f"{render.count(committed, 'picture')} of this run are safe in {address}",
            hint="run the same command again to go on",
        )


# ---- search and show ------------------------------------------------------------------------------------------


@app.command(
    epilog=examples(
        'sightline search "a road with a stop sign"',
        "sightline search horse + stripes - zebra       two things together, without a third",
        'sightline search "the dog I added a few days ago"',
        "sightline search sunset in:holiday after:2024-06 camera:canon",
        "sightline search id:A + id:B - id:C            more like two items, less like a third",
        "sightline search ./dog.jpg -k 3 --save dogs.png",
        "sightline search a dog in the snow --show      the pictures, drawn in the terminal",
        "sightline search sunset --print0 | xargs -0 cp -t sunsets/",
        "sightline search an elephant --min-relevance 0     also what hardly fits",
        "sightline search red car --where \"name LIKE '%2024%'\" --why",
        "sightline search sunset --json | jq -r '.hits[].uri'",
    )
)
def search(
    query: Annotated[list[str], typer.Argument(metavar="QUERY", hidden=True)],
    collection: CollectionFlag = None,
    k: Annotated[int, typer.Option("-k", metavar="K", help="How many hits, 1 to 1000.", show_default=True)] = 10,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Only rows for which this holds.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The collection's encoder, where it is not found by its name.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare every vector; ask no index.")] = False,
    literal: Annotated[bool, typer.Option("--literal", help="Take QUERY as plain words, whatever is in it.")] = False,
    min_relevance: Annotated[
        float,
        typer.Option(
            metavar="P", min=0, max=1, help="Show what is relevant with this probability; 0: all.", show_default=True
        ),
    ] = MIN_RELEVANCE,
    sort: Annotated[
        Literal["score", "date"], typer.Option(help="Order of the hits; date: those taken last come first.")
    ] = "score",
    no_group: Annotated[
        bool, typer.Option("--no-group", help="Show near-duplicates one by one, not folded into the best of them.")
    ] = False,
    diverse: Annotated[bool, typer.Option("--diverse", help="Prefer hits that are unlike those before them.")] = False,
    why: Annotated[bool, typer.Option("--why", help="Show each channel's rank, score and share.")] = False,
    show_: Annotated[bool, typer.Option("--show", help="Draw the pictures in the terminal.")] = False,
    save: SaveFlag = None,
    print0: Annotated[
        bool, typer.Option("--print0", help="Write paths and uris alone, each ended by NUL, for xargs -0.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Find pictures by words or by another picture, best first.

    QUERY is words, a picture (./dog.jpg, ../x.png, /a/b.jpg, ~/c.jpg) or id:ITEM. Several are joined by " + ", what is
    to be left out by " - "; 2:dog or 2:(two words) counts twice. Filters: after: before: on: added: DATE, type: in:
    camera: has: text: near:"LAT,LON,10km". Words such as "last summer" become filters too; "quoted words" do not.
    """
    if not 1 <= k <= 1000:
        raise UsageError(f"k is {k}; a number from 1 to 1000 was expected", hint="for example: -k 10")
    if print0 and (as_json or why or show_):
        other = "--json" if as_json else "--why" if why else "--show"
        raise UsageError(f"--print0 writes names alone and cannot go with {other}", hint="leave one of the two out")
    check_figure(save)
    target = open_collection(collection, model=model)
    found = target.search(
        " ".join(query),
        k,
        where=where,
        exact=exact,
        literal=literal,
        sort=sort,
        group=not no_group,
        diverse=diverse,
        min_relevance=min_relevance,
    )
    if not as_json and (understood := render.understood(found.query)):
        render.note(understood)
    if not as_json and (unsure := render.unsure(found)):
        render.note(unsure)
    if not as_json and (folded := sum(len(hit.alike) for hit in found)):
        render.note(f"{render.count(folded, 'near-duplicate')} folded; --no-group shows them one by one")
    if save and found:
        _save_hits(target, found, save)
    if as_json:
        render.out(render.dump(found.to_json()))
    if print0:
        render.uris(found)
    elif show_ and found:
        _show_hits(target, found, why=why, as_json=as_json)
    elif found and not as_json:
        render.hits(found, why=why)
    if not found:
        render.note(render.nothing(found, target.address))
        raise typer.Exit(NOTHING_FOUND)


@app.command(
    epilog=examples(
        "sightline show                      two pictures of the collection",
        "sightline show ~/Pictures -n 6 --save samples.png",
    )
)
def show(
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", hidden=True)] = None,
    collection: CollectionFlag = None,
    n: Annotated[
        int, typer.Option("-n", metavar="N", min=1, max=100, help="How many, 1 to 100.", show_default=True)
    ] = 2,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Draw the same samples again.")] = None,
    save: SaveFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Look at random samples, with their captions, of the collection or of a SOURCE."""
    if source and collection:
        raise UsageError("give either a SOURCE or a collection, not both", hint="sightline show --help")
    check_figure(save)
    if source:
        picked = _samples_of(source, n, seed)
    else:
        picked = open_collection(collection).sample(n, seed=seed)
    if save and picked:
        from sightline import plots

        render.note(f"figure written to {plots.samples(picked, save)}")
    if as_json:
        fields = ("id", "uri", "name", "text")
        render.out(render.dump({"samples": [{name: getattr(item, name) for name in fields} for item in picked]}))
    else:
        _show_samples(picked)
    if not picked:
        render.note("nothing found")
        raise typer.Exit(NOTHING_FOUND)


app.command(epilog=answering.ASK)(answering.ask)
app.command("eval", epilog=measure.EVAL)(measure.evaluate)
app.command(epilog=teach.TRAIN)(teach.train)
app.command(epilog=care.INFO)(care.info)
app.add_typer(care.models, name="models")
app.command(epilog=care.REMOVE)(care.remove)
app.command("map", epilog=mapping.MAP)(mapping.map_)
app.command(epilog=upkeep.DUPS)(upkeep.dups)
app.command(epilog=upkeep.VERIFY)(upkeep.verify)
app.command(epilog=upkeep.OPTIMIZE)(upkeep.optimize)
app.command(epilog=upkeep.HISTORY)(upkeep.history)
app.command(epilog=upkeep.RESTORE)(upkeep.restore)
app.add_typer(care.collections, name="collections")
app.command(epilog=serving.SERVE)(serving.serve)
app.command(epilog=serving.MCP)(serving.mcp)


@app.command(epilog=examples("sightline demo", "sightline demo --no-serve"))
def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="End without starting the web page.")] = False,
    port: serving.PortFlag = serving.PORT,
) -> None:
    """See it work on the bundled street scenes, in a minute."""
    from sightline import demo as story

    story.tell()
    if not no_serve:
        render.heading("And as a page")
        serving.run(story.ADDRESS, port=port)


# ---- in call order --------------------------------------------------------------------------------------------


def _announce(target: Collection, specs: Sequence[str]) -> None:
    """Finds the sources and the encoder, so that what there is to say about them is said before the long work."""
    from sightline.sources import open_source

    for spec in specs:
        open_source(spec)
    if target.encoder and target.model_notice:
        render.note(target.model_notice)


def _show_hits(target: Collection, found: Hits, *, why: bool, as_json: bool) -> None:
    """Draws the hits where that can be done; else they are written as without --show, and a line on stderr says why."""
    from sightline import previews

    if as_json:
        render.note("--show draws nothing: the hits were written as JSON")
        return
    screen = previews.screen(target.settings.previews)
    if screen.why:
        render.note(f"--show: {screen.why}")
    if screen.form:
        previews.hits(found, screen, target.thumbnail, why=why)
    else:
        render.hits(found, why=why)


def _save_hits(target: Collection, found: Hits, path: str) -> None:
    from sightline import plots

    asked = [term.item for term in found.query.terms if term.item]
    picture = target.picture(asked[0]) if asked else None
    render.note(f"figure written to {plots.results(found, path, picture=picture)}")


def _show_samples(picked: Sequence[Hit]) -> None:
    """The pictures themselves on a terminal that can draw; what was not asked for is not missed aloud."""
    from sightline import previews
    from sightline.config import settings

    screen = previews.screen(settings().previews) if picked and render.on_terminal() else None
    if screen and screen.form:
        previews.samples(picked, screen)
    else:
        render.pictures((item.uri, item.name, item.text) for item in picked)


def _samples_of(spec: str, n: int, seed: int | None) -> list[Hit]:
    """`n` random pictures of a source that can be decoded; the listing streams."""
    import random
    from functools import partial

    from sightline import plots
    from sightline.config import settings
    from sightline.errors import BadMedia
    from sightline.schema import Hit, Item
    from sightline.sources import open_source

    rng = random.Random(seed)  # noqa: S311
    drawn: list[Item] = []
    given = settings()
    source = open_source(spec, offline=given.offline, allow_private_urls=given.allow_private_urls)
    for seen, item in enumerate(entry for entry in source if isinstance(entry, Item)):
        if len(drawn) < 4 * n:
            drawn.append(item)
        elif (at := rng.randrange(seen + 1)) < 4 * n:
            drawn[at] = item
    rng.shuffle(drawn)
    picked: list[Hit] = []
    for item in drawn:
        if len(picked) == n:
            break
        try:
            upright = plots.upright(item.read())
        except (BadMedia, OSError):
            continue
        load = partial(bytes, upright)
        picked.append(Hit(len(picked) + 1, item.id, item.uri, item.name, 0.0, item.text, item.modality, load))
    return picked
