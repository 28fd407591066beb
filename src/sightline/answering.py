"""The command `ask`: a question becomes a call on a Collection, its answer is printed while it is written. cli.py
registers it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from sightline import render
from sightline.errors import UsageError
from sightline.flags import (
    MIN_RELEVANCE,
    NOTHING_FOUND,
    CollectionFlag,
    JsonFlag,
    SaveFlag,
    check_figure,
    examples,
    open_collection,
)

if TYPE_CHECKING:
    from sightline.answers import Answer
    from sightline.collection import Collection
    from sightline.schema import Hit

ASK = examples(
    'sightline ask "is there a bus in the desert?"',
    'sightline ask "how many pictures show a stop sign?"',
    'sightline ask "when did I last see a dog" --save dog.png',
    'sightline ask "what colour is the taxi" in:holiday --json | jq -r .answer',
    'sightline ask "what is the dog doing?" --generator openai:llava     a model of Ollama',
)


def ask(
    question: Annotated[list[str], typer.Argument(metavar="QUESTION", hidden=True)],
    collection: CollectionFlag = None,
    k: Annotated[
        int, typer.Option("-k", metavar="K", help="Pictures that the answer may cite, 1 to 100.", show_default=True)
    ] = 6,
    generator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What writes it: extractive, openai:MODEL or hf:REPO. [default: extractive]"),
    ] = None,
    min_relevance: Annotated[
        float,
        typer.Option(metavar="P", min=0, max=1, help="What counts as a match has this probability.", show_default=True),
    ] = MIN_RELEVANCE,
    model: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The collection's encoder, where it is not found by its name.")
    ] = None,
    save: SaveFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask about your pictures; the answer cites those that it rests on as [1], [2], or says that none shows it.

    QUESTION is plain English, also with filters of the query language (in:holiday after:2024-06). The answer is written
    from captions, text in the pictures, dates and counts, or by a model (--generator). Ends 3 when there is no answer.
    """
    if not 1 <= k <= 100:
        raise UsageError(f"k is {k}; a number from 1 to 100 was expected", hint="for example: -k 6")
    check_figure(save)
    target = open_collection(collection, model=model, notify=render.note)
    pieces = target.ask(" ".join(question), k, generator=generator, min_relevance=min_relevance, stream=True)
    answer = _written(pieces, aloud=not as_json)
    if as_json:
        render.out(render.dump(answer.to_json()))
    else:
        _pictures(target, answer)
        for line in _remarks(answer):
            render.note(line)
    if save:
        from sightline import plots

        render.note(f"figure written to {plots.answered(answer, save)}")
    if answer.incomplete and not answer.text:
        raise typer.Exit(1)
    if answer.abstained:
        raise typer.Exit(NOTHING_FOUND)


def _written(pieces: Iterator[str | Answer], *, aloud: bool) -> Answer:
    """Writes the text on stdout as it comes, and gives the answer that comes last."""
    while isinstance(piece := next(pieces), str):
        if aloud:
            render.write(piece)
    if aloud and piece.text:
        render.write("\n")
    return piece


def _pictures(target: Collection, answer: Answer) -> None:
    """The cited pictures, or the nearest ones where the answer cites none, with their numbers."""
    shown = _shown(answer)
    if not shown:
        return
    if not render.on_terminal():
        render.out("".join(f"[{n}]\t{render.field(hit.uri)}\t{render.field(hit.text)}\n" for n, hit in shown))
        return
    from sightline import previews

    render.out("\n")
    screen = previews.screen(target.settings.previews)
    if screen.form:
        previews.cited(shown, answer.question.query, screen, target.thumbnail)
        return
    dated = any(hit.captured_at for _, hit in shown)
    rows = [(f"[{n}]", hit.name, _caption(answer, hit), render.date(hit.captured_at)) for n, hit in shown]
    header = ("", "picture", "caption", "taken")
    render.rows(header if dated else header[:3], rows if dated else [row[:3] for row in rows])


def _shown(answer: Answer) -> list[tuple[int, Hit]]:
    cited = set(answer.citations)
    numbered = list(enumerate(answer.hits, 1))
    return [(number, hit) for number, hit in numbered if hit.id in cited] or numbered


def _caption(answer: Answer, hit: Hit) -> str:
    return render.shorten(answer.question.query.caption_of(hit.text))


def _remarks(answer: Answer) -> Iterator[str]:
    """How the question was understood, and what a person should know of the answer."""
    asked = answer.question
    by = "" if asked.by == "rules" else f" · by {asked.by}"
    what = f" {asked.asked}" if asked.asked else ""
    understood = render.understood(asked.query).removeprefix("understood: ") or "all pictures"
    yield f"understood: {asked.intent.value}{what} · {understood}{by}"
    if answer.incomplete:
        yield f"the answer is not complete: {answer.reason}"
    elif answer.abstained:
        yield f"no answer: {answer.reason}"
    if answer.removed:
        yield f"{render.count(answer.removed, 'citation')} of pictures that were not given, removed"
    bare = sum(not one.supported for one in answer.statements)
    if bare and not answer.abstained:
        yield f"{bare} of {render.count(len(answer.statements), 'sentence')} rest on none of the pictures"
