"""The command that measures: `eval`. cli.py registers it."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline import grading, render
from sightline.errors import SourceError, UsageError
from sightline.flags import CollectionFlag, JsonFlag, SaveFlag, check_figure, examples, listed, open_collection
from sightline.progress import ticker

if TYPE_CHECKING:
    from rich.table import Table

    from sightline.collection import Collection
    from sightline.cutoffs import CutoffReport, CutRun
    from sightline.evaluate import Comparison, Evaluation, Run
    from sightline.quiz import AnswersReport

BELOW = 1  # exit code
ANSWER_K = 6  # pictures that an answer may cite, as `ask` has it
SHOWN = ("recall@10", "mrr")  # of the comparisons, on a terminal

EVAL = examples(
    "sightline eval                                      the collection, its captions as queries",
    "sightline eval streets:test --model pocket          a source, indexed for this alone",
    "sightline eval ~/Pictures --model pocket --model ./my-model --save models.png",
    "sightline eval streets:test --qrels streets         the bundled scenes by what can be seen in them",
    "sightline eval streets:test --qrels streets --cutoff    what search cuts, on questions without an answer too",
    "sightline eval --qrels judged.jsonl --fail-under recall@10=0.8",
    "sightline eval streets:test --answers streets       what `sightline ask` answers, by what is known to be right",
)


def evaluate(
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", hidden=True)] = None,
    collection: CollectionFlag = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME|FOLDER", help="Encoder; repeat it to compare several on a SOURCE.")
    ] = None,
    qrels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|streets",
            help="What is relevant: TREC qrels, JSON lines, or the bundled streets. [default: captions]",
        ),
    ] = None,
    queries: Annotated[
        str | None, typer.Option(metavar="FILE", help="The words of TREC qrels: `qid TAB words`.")
    ] = None,
    cutoff: Annotated[
        bool,
        typer.Option("--cutoff", help="Measure what search cuts by relevance instead. Needs --qrels."),
    ] = False,
    answers: Annotated[
        str | None,
        typer.Option(metavar="FILE|streets", help="Measure answers instead, by questions whose answers are known."),
    ] = None,
    generator: Annotated[
        str | None, typer.Option(metavar="NAME", help="What writes the answers, as for `ask`. Needs --answers.")
    ] = None,
    k: Annotated[
        int, typer.Option("-k", metavar="N", min=1, max=100, help="Pictures that an answer may cite. Needs --answers.")
    ] = ANSWER_K,
    channels: Annotated[
        str | None, typer.Option(metavar="A,B", help="Of vector, text, hybrid; the first is the one that counts.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Ask at most N queries, drawn at random.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of what is drawn.", show_default=True)] = 0,
    fail_under: Annotated[
        list[str] | None, typer.Option("--fail-under", metavar="METRIC=X", help="End 1 below it; repeatable.")
    ] = None,
    save: SaveFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure how well pictures are found, with 95 % intervals: recall, MRR, nDCG, and the time of a search.

    Relevance comes from the captions (each line is a query for its picture), or from --qrels. SOURCE is indexed into a
    collection that is gone afterwards. docs/evaluation.md says what the numbers mean.
    """
    if source and collection:
        raise UsageError("give either a SOURCE or a collection, not both", hint="sightline eval --help")
    models = list(dict.fromkeys(model or []))
    if len(models) > 1 and not source:
        raise UsageError(
            "several models are compared on a SOURCE", hint="sightline eval ~/Pictures --model A --model B"
        )
    if cutoff and not qrels:
        raise UsageError(
            "--cutoff needs to know what is relevant, and questions that nothing answers",
            hint="add --qrels FILE, some lines with an empty `relevant`, or --qrels streets",
        )
    others = {"--qrels": qrels, "--queries": queries, "--cutoff": cutoff, "--channels": channels, "--save": save}
    _check_answers(answers, generator, k, others)
    least = [_least(one, _known_measures(qrels, cutoff, answers)) for one in fail_under or ()]
    check_figure(save)
    if answers:
        how = {"generator": generator, "k": k, "limit": limit, "seed": seed}
        _measure_answers(source, collection, models, answers, how, least, as_json)
        return
    asked = {**_asked(qrels, queries, channels), "limit": limit, "seed": seed}
    if cutoff:
        _measure_cutoff(source, collection, models, asked, least, save, as_json)
        return
    if source:
        done = list(_of_source(source, models or [None], asked))
    else:
        done = [open_collection(collection, model=models[0] if models else None).evaluate(**asked)]
    between = _between(done)
    for line in dict.fromkeys(line for one in done for line in one.notices):
        render.note(line)
    if save:
        render.note(f"figure written to {draw(done, save)}")
    if as_json:
        render.out(render.dump(_document(done, between)))
    else:
        show(done, between)
    _end_if_below(done, least)


def _end_if_below(
    done: Sequence[Evaluation | CutoffReport | AnswersReport], least: Sequence[tuple[str, float]]
) -> None:
    if missed := [(one, *under) for one in done for under in least if one[under[0]] < under[1]]:
        said = (f"{metric} is {one[metric]:.4g} with {one.model}, below {x:g}" for one, metric, x in missed)
        render.note("; ".join(said))
        raise typer.Exit(BELOW)


def _measure_cutoff(
    source: str | None,
    collection: str | None,
    models: Sequence[str],
    asked: dict[str, Any],
    least: Sequence[tuple[str, float]],
    save: str | None,
    as_json: bool,
) -> None:
    if source:
        done = [target.evaluate_cutoff(**asked) for target in _indexed(source, models or [None])]
    else:
        done = [open_collection(collection, model=models[0] if models else None).evaluate_cutoff(**asked)]
    for line in dict.fromkeys(line for one in done for line in one.notices):
        render.note(line)
    if save:
        render.note(f"figure written to {draw_cutoff(done, save)}")
    if as_json:
        document = done[0].to_json() if len(done) == 1 else {"models": [one.to_json() for one in done]}
        render.out(render.dump(document))
    else:
        show_cutoff(done)
    _end_if_below(done, least)


def _check_answers(answers: str | None, generator: str | None, k: int, others: Mapping[str, object]) -> None:
    if answers is None:
        if generator is not None or k != ANSWER_K:
            raise UsageError("--generator and -k are of answers", hint="add --answers FILE, or --answers streets")
        return
    if given := [flag for flag, value in others.items() if value]:
        raise UsageError(
            f"--answers and {given[0]} measure different things", hint="sightline eval streets:test --answers streets"
        )


def _measure_answers(
    source: str | None,
    collection: str | None,
    models: Sequence[str],
    answers: str,
    how: dict[str, Any],
    least: Sequence[tuple[str, float]],
    as_json: bool,
) -> None:
    from sightline.quiz import read

    questions, generator = read(answers), how["generator"]
    if source:
        targets = _indexed(source, models or [None], keep=None, check=lambda one: one.generator(generator))
    else:
        targets = iter([open_collection(collection, model=models[0] if models else None, notify=render.note)])
    done = []
    for target in targets:
        with grading.counted() as tell:
            done.append(target.evaluate_answers(questions, tell=tell, **how))
    for line in dict.fromkeys(line for one in done for line in one.notices):
        render.note(line)
    if as_json:
        document = done[0].to_json() if len(done) == 1 else {"models": [one.to_json() for one in done]}
        render.out(render.dump(document))
    else:
        grading.show(done)
    _end_if_below(done, least)


def _asked(qrels: str | None, queries: str | None, channels: str | None) -> dict[str, Any]:
    """What to measure, read and checked before the work is done."""
    from sightline.evaluate import check_channels
    from sightline.judgements import read

    if queries and not qrels:
        raise UsageError("--queries are the words of judgements", hint="add --qrels FILE")
    names = None if channels is None else [one.strip() for one in channels.split(",")]
    return {
        "qrels": read(qrels, queries) if qrels else None,
        "channels": check_channels(names, captions=qrels is None),
    }


def _known_measures(qrels: str | None, cutoff: bool, answers: str | None) -> Sequence[str]:
    from sightline import cutoffs, evaluate, quiz

    if answers:
        return quiz.MEASURES
    if cutoff:
        return cutoffs.MEASURES
    return evaluate.JUDGED_METRICS if qrels else evaluate.METRICS


def _least(asked: str, known: Sequence[str]) -> tuple[str, float]:
    """METRIC=X, understood before the work is done."""
    metric, _, number = asked.partition("=")
    try:
        least = float(number)
    except ValueError:
        least = -1.0
    if metric not in known or not 0 <= least <= 1:
        raise UsageError(
            f"--fail-under '{asked}' cannot be meant: METRIC=X, with X from 0 to 1, was expected",
            hint=f"metrics are {', '.join(known)}; for example --fail-under {known[0]}=0.8",
        )
    return metric, least


def _of_source(spec: str, models: Sequence[str | None], asked: dict[str, Any]) -> Iterator[Evaluation]:
    """The source measured with each model."""
    for target in _indexed(spec, models):
        yield target.evaluate(**asked)


def _indexed(
    spec: str,
    models: Sequence[str | None],
    *,
    keep: str | None = "none",
    check: Callable[[Collection], object] = lambda _: None,
) -> Iterator[Collection]:
    """The source indexed for each model alone; every model is looked for before the first is used, and what `check`
    raises is raised before.
    """
    from sightline.sources import open_source

    open_source(spec)
    with tempfile.TemporaryDirectory(prefix="sightline-eval-") as folder:
        opened = [
            open_collection(f"{folder}#eval_{at}", model=name, notify=render.note) for at, name in enumerate(models)
        ]
        for target in opened:
            check(target)
            if target.encoder and target.model_notice:
                render.note(target.model_notice)
        for target in opened:
            with ticker("auto", count=lambda: listed([spec])) as tell:
                report = target.ingest(spec, keep=keep, progress=tell)
            if report.skipped:
                render.note(f"{render.count(len(report.skipped), 'item')} of {spec} cannot be used and are left out")
            if not report.rows:
                raise SourceError(f"nothing of {spec} can be used", hint=f"sightline index {spec} says why")
            yield target


def _between(done: Sequence[Evaluation]) -> list[Comparison]:
    """Every two models in the way that counts."""
    from sightline.evaluate import compare

    pairs = itertools.combinations(done, 2)
    return [one for a, b in pairs for one in compare(a.runs[0], b.runs[0], names=(a.model, b.model), seed=a.seed)]


def _document(done: Sequence[Evaluation], between: Sequence[Comparison]) -> dict[str, Any]:
    if len(done) == 1:
        return done[0].to_json()
    return {"models": [one.to_json() for one in done], "comparisons": [one.to_json() for one in between]}


# ---- for people -----------------------------------------------------------------------------------------------


def show(done: Sequence[Evaluation], between: Sequence[Comparison]) -> None:
    """A table on a terminal; `model direction channel metric value low high n` lines in a pipe."""
    runs = [run for one in done for run in one.runs]
    if not render.on_terminal():
        lines = [
            (run.model, run.direction, run.channel, metric, *_numbers(run, metric), run.n)
            for run in runs
            for metric in run.values
        ]
        render.rows((), lines)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", style="dim", no_wrap=True)
    for run in runs:
        table.add_column(Text("\n".join(render.plain(line) for line in (run.model, run.direction, run.channel))))
    table.add_row("queries", *(f"{run.n:,}" for run in runs))
    for metric in runs[0].values:
        table.add_row(metric, *(_cell(run, metric) for run in runs))
    for name in ("p50", "p95"):
        times = (f"{run.latency_ms[name]:.1f} ms" if run.latency_ms else "–" for run in runs)
        table.add_row(f"search {name}", *times)
    render.show(table)
    if any(run.kinds for run in runs):
        render.show(_kinds(runs))
    for one in (*between, *(one for each in done for one in each.comparisons)):
        if one.metric in SHOWN:
            low, high = one.interval
            render.out(
                f"{render.plain(one.b)} − {render.plain(one.a)}  {one.metric} {one.difference:+.3f} "
                f"({low:+.3f} to {high:+.3f}), above zero in {one.share_above:.1%} of resamples"
            )


def _kinds(runs: Sequence[Run]) -> Table:
    """Precision@5 by kind of query, a column for each run."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("precision@5 of", "queries", *("" for _ in runs)):
        table.add_column(name, no_wrap=True)
    for at, kind in enumerate(runs[0].kinds):
        apart = " (apart)" if kind.apart else ""
        cells = (f"{run.kinds[at].means['precision@5']:.3f}" for run in runs)
        table.add_row(Text(f"{render.plain(kind.name)}{apart}"), f"{kind.n:,}", *cells)
    return table


def _numbers(run: Run, metric: str) -> tuple[str, ...]:
    return tuple(f"{number:.4f}" for number in (run.mean(metric), *run.intervals[metric]))


def _cell(run: Run, metric: str) -> str:
    low, high = run.intervals[metric]
    return f"{run.mean(metric):.3f} ({low:.3f}–{high:.3f})"


def draw(done: Sequence[Evaluation], path: str) -> Path:
    from sightline import charts

    runs = [run for one in done for run in one.runs]
    series = [
        charts.Bars(
            f"{f'{run.model} ' if len(done) > 1 else ''}{run.direction} {run.channel}",
            {metric: run.mean(metric) for metric in run.values},
            run.intervals,
        )
        for run in runs
    ]
    first = done[0]
    title = " and ".join(one.model for one in done[:2]) if len(done) < 3 else f"{len(done)} models"
    note = (
        f"{first.n:,} queries over {first.rows:,} pictures, relevance from {first.relevance}; whiskers: 95 % intervals"
    )
    return charts.bars(series, path, title=title, note=note)


# ---- the cutoff, for people -----------------------------------------------------------------------------------

SAID = {
    "nothing": "unanswerable that return nothing",
    "first_stays": "answerable that keep their first hit",
    "precision": "relevant of what is kept",
    "recall": "kept of what is relevant",
}


def show_cutoff(done: Sequence[CutoffReport]) -> None:
    """A table on a terminal; `model channel measure share low high n` lines in a pipe."""
    runs = [(one, run) for one in done for run in one.runs]
    if not render.on_terminal():
        lines = [
            (one.model, run.channel, measure, *grading.ends(getattr(run, measure)), getattr(run, measure).n)
            for one, run in runs
            for measure in SAID
        ]
        lines += [
            (one.model, run.channel, "calibration_error", f"{run.error:.4f}", "", "", sum(each.n for each in run.bins))
            for one, run in runs
        ]
        render.rows((), lines)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(f"cutoff {done[0].cutoff:g}", style="dim", no_wrap=True)
    for one, run in runs:
        table.add_column(Text(f"{render.plain(one.model)}\n{run.channel}"))
    for measure, said in SAID.items():
        table.add_row(said, *(grading.percent(getattr(run, measure)) for _, run in runs))
    table.add_row("calibration error", *(f"{100 * run.error:.1f} %" for _, run in runs))
    render.show(table)


def draw_cutoff(done: Sequence[CutoffReport], path: str) -> Path:
    from sightline import charts

    def points(run: CutRun) -> list[tuple[float, float, int]]:
        return [(one.said, one.true, one.n) for one in run.bins]

    series = {
        f"{f'{one.model} ' if len(done) > 1 else ''}{run.channel}": points(run) for one in done for run in one.runs
    }
    hits = sum(one.n for one in done[0].runs[0].bins)
    note = f"{hits:,} hits over {done[0].rows:,} pictures; larger points stand for more hits"
    return charts.reliability(series, path, title=f"What relevance means with {done[0].model}", note=note)
