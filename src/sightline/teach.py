"""The command that trains: `train`. cli.py registers it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sightline import measure, render
from sightline.errors import SightlineError, UsageError
from sightline.flags import CollectionFlag, JsonFlag, SaveFlag, check_figure, examples, listed, open_collection
from sightline.progress import ticker

if TYPE_CHECKING:
    from sightline.tune import Options, Tuned

STOPPED = 130  # exit code

TRAIN = examples(
    "sightline train ~/Pictures --base pocket --out ./mine        a head: CPU minutes, any model folder",
    "sightline train -c data/tables#photos --out ./mine           the same on vectors that are there already",
    "sightline train ~/Pictures --base ./clip-vit-base-patch32 --method lora --out ./mine",
    "sightline train ~/Pictures --base ./siglip-base --method full --batch-size 512 --chunk 32 --out ./mine",
)


def train(
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", hidden=True)] = None,
    base: Annotated[
        str | None, typer.Option(metavar="NAME|FOLDER", help="Model to begin with. [default: as index chooses]")
    ] = None,
    method: Annotated[
        Literal["head", "lora", "full"],
        typer.Option(help="head: a projection of its vectors; lora, full: the model itself.", show_default=True),
    ] = "head",
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The model folder to write. [default: ./BASE-METHOD]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most. [default: head 20, else 10]")] = None,
    collection: CollectionFlag = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="Pairs of one step. [default: head 256, else 64]")
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Pairs in memory at a time: large batches by gradient caching."),
    ] = None,
    rate: Annotated[float | None, typer.Option(metavar="X", help="Peak learning rate. [default: by method]")] = None,
    rank: Annotated[int, typer.Option(metavar="N", min=1, help="Of lora's matrices.", show_default=True)] = 8,
    patience: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Epochs without a better one. [default: head 6, else 3]")
    ] = None,
    held_out: Annotated[
        float, typer.Option(metavar="SHARE", help="Of the pictures: half choose, half judge.", show_default=True)
    ] = 0.2,
    precision: Annotated[
        Literal["auto", "f32", "bf16"], typer.Option(help="auto: bf16 where the machine has it.", show_default=True)
    ] = "auto",
    device: Annotated[
        str, typer.Option(metavar="NAME", help="cpu or cuda, of lora and full.", show_default=True)
    ] = "cpu",
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="[default: one per core]")] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of all that is drawn.", show_default=True)] = 0,
    restart: Annotated[bool, typer.Option("--restart", help="Begin again instead of going on.")] = False,
    save: SaveFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a model on your own pictures and captions; the result is a model folder for `index --model`.

    SOURCE is anything that `index` takes and that has captions. A fifth of the pictures is held out: base and new model
    stand side by side on it, and it is said plainly when the new one is not better. The same command goes on after a
    kill. docs/training.md says more.
    """
    if (source is None) == (collection is None):
        raise UsageError("give either a SOURCE or a collection", hint="sightline train --help")
    check_figure(save)
    from sightline.tune import Options, settled

    options = settled(
        Options(
            method=method,
            epochs=epochs,
            batch_size=batch_size,
            chunk=chunk,
            learning_rate=rate,
            rank=rank,
            patience=patience,
            held_out=held_out,
            precision=precision,
            device=device,
            threads=threads,
            seed=seed,
            restart=restart,
        )
    )
    try:
        if method == "head":
            done = _head(source, collection, base, out, options)
        else:
            done = _torch(source, base, out, options)
    except KeyboardInterrupt:
        raise _Stopped from None
    _say(done, save, as_json)


class _Stopped(SightlineError):
    exit_code = STOPPED

    def __init__(self) -> None:
        super().__init__("the last checkpoint is safe", hint="run the same command again to go on")


def _head(source: str | None, collection: str | None, base: str | None, out: str | None, options: Options) -> Tuned:
    """From a collection's vectors; those of a SOURCE are made first, in a collection that is gone afterwards."""
    if source is None:
        target = open_collection(collection, model=base)
        if not target.exists:
            raise UsageError(f"there is no collection at {target.address}", hint="give a SOURCE, or index it first")
        place = _place(out, target.encoder.name, "head")
        _free(place)
        return target.train_head(place, options, tell=render.note)
    from sightline.bases import is_checkpoint
    from sightline.tune import as_model_folder

    _check_captions(source, options.held_out)
    checkpoint = base is not None and is_checkpoint(Path(base).expanduser())
    name = Path(base).expanduser().resolve().name if checkpoint and base else None
    place = _place(out, name or _name_of(base), "head")
    _free(place)
    beside = place.with_name(f"{place.name}.train")
    if checkpoint and base:
        beside.mkdir(parents=True, exist_ok=True)
        base = str(as_model_folder(Path(base).expanduser(), beside / (name or "base")))
    target = open_collection(f"{beside / 'vectors'}#items", model=base)
    if target.encoder and target.model_notice:
        render.note(target.model_notice)
    with ticker("auto", count=lambda: listed([source])) as tell:
        report = target.ingest(source, keep="none", progress=tell)
    if report.skipped:
        render.note(f"{render.count(len(report.skipped), 'item')} of {source} cannot be used and are left out")
    return target.train_head(place, options, tell=render.note)


def _torch(source: str | None, base: str | None, out: str | None, options: Options) -> Tuned:
    from sightline.bases import is_checkpoint
    from sightline.config import settings
    from sightline.encoders import find_model
    from sightline.sources import open_source
    from sightline.tune import tune

    given = settings()
    if source is None:
        raise UsageError(
            f"{options.method} learns from pictures, not from a collection's vectors", hint="give a SOURCE"
        )
    if base is None:
        raise UsageError(f"{options.method} needs --base FOLDER: a CLIP or SigLIP checkpoint of transformers")
    folder = Path(base).expanduser()
    if not is_checkpoint(folder):
        folder = find_model(base, given.models_dir)
    place = _place(out, folder.resolve().name, options.method)
    opened = open_source(source, offline=given.offline, allow_private_urls=given.allow_private_urls)
    done = tune(opened, folder, place, options, tell=render.note)
    if done.skipped:
        render.note(f"{render.count(len(done.skipped), 'item')} of {source} cannot be used and are left out")
    return done


def _place(out: str | None, base: str, method: str) -> Path:
    return Path(out).expanduser().absolute() if out else Path.cwd() / f"{base}-{method}"


def _free(place: Path) -> None:
    """Refuses a folder that is there before anything is encoded."""
    if place.exists():
        raise UsageError(f"{place} is there already", hint="give another --out, or remove it")


def _name_of(base: str | None) -> str:
    """What a model folder calls itself."""
    from sightline.config import settings
    from sightline.encoders import choose_default, describe, find_model

    given = settings()
    name = base or given.model
    if name == "auto":
        name = choose_default(given.models_dir)
    return describe(find_model(name, given.models_dir), cache_dir=given.cache).name


def _check_captions(source: str, held_out: float) -> None:
    """Says before the encoding that there is nothing to learn, where that can be seen without the network."""
    from sightline.pairs import listing, pair_up
    from sightline.sources import open_source

    if listed([source]) is not None:
        pair_up(listing(open_source(source)).items, held_out=held_out)


def _say(done: Tuned, save: str | None, as_json: bool) -> None:
    for line in _notes(done):
        render.note(line)
    both = [done.base, done.new]
    if save:
        render.note(f"figure written to {measure.draw(both, save)}")
    if as_json:
        document: dict[str, Any] = done.to_json()
        render.out(render.dump(document))
    else:
        measure.show(both, done.comparisons)
    render.note(done.sentence)


def _notes(done: Tuned) -> list[str]:
    learnt = done.learnt
    early = ", stopped early" if learnt.stopped_early else ""
    resumed = [f"went on in epoch {learnt.resumed} where the run was stopped"] if learnt.resumed else []
    return [
        *resumed,
        f"{done.pictures['train']:,} pictures, {done.captions:,} captions in all; epoch {learnt.best_epoch} of "
        f"{learnt.epochs} is the best{early}",
        f"model folder written to {done.out}, parity {done.parity:.6f}",
    ]
