"""The query language: what a person types -> Query. Pure; reads a file only when the query names one.

    a road with a stop sign      words
    ./pool.jpg  ../x.png  /a/b.jpg  ~/c.jpg  file:pool.jpg        a picture: more like this file
    id:ITEM                      more like this item of the collection

Several terms, weights, exclusions, filters and dates belong to a later version; until then such text is searched for as
it stands.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote_to_bytes

from sightline.errors import QueryError
from sightline.schema import Query, Term

MOST_CHARACTERS = 10_000
_PATHS = ("./", "../", "/", "~/", "file:")


def parse(text: str, *, where: str | None = None) -> Query:
    """Understand `text`. Raises QueryError when it is empty, too long, or names a picture that cannot be read."""
    typed = text.strip()
    if not typed:
        raise QueryError("the query is empty", hint='say what to look for, e.g. "a road with a stop sign"')
    if len(typed) > MOST_CHARACTERS:
        raise QueryError(f"the query has {len(typed):,} characters; at most {MOST_CHARACTERS:,} are read")
    return Query(raw=text, terms=(_term(typed),), where=where)


def _term(typed: str) -> Term:
    if typed.startswith("id:"):
        if not typed[3:].strip():
            raise QueryError("'id:' names no item", hint="write id: and the id that search --json shows")
        return Term(item=typed[3:].strip())
    if typed.startswith(_PATHS):
        path = Path(_path_of(typed)).expanduser()
        try:
            return Term(picture=path.read_bytes(), name=path.name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise QueryError(
                f"the picture '{typed}' cannot be read: {reason}",
                hint="words that begin with ./ ../ / ~/ or file: name a picture; quote nothing else that way",
            ) from None
    return Term(text=typed)


def _path_of(typed: str) -> str:
    import os

    if typed.startswith("file://"):
        return os.fsdecode(unquote_to_bytes(typed.removeprefix("file://")))
    return typed.removeprefix("file:")
