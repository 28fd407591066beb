"""examples: what a caller gives as "like this" or "unlike this" -> terms of a query.

    terms_of(hits[:2], find) and terms_of("./pool.jpg", find, unlike=True)

`find` turns an id or uri into the id of an item. Knows files and records; no store and no encoder.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, cast

from sightline.errors import QueryError
from sightline.schema import Hit, Term

if TYPE_CHECKING:
    from PIL.Image import Image

Example: TypeAlias = "str | os.PathLike[str] | bytes | Image | Hit"
_PATHS = ("./", "../", "/", "~/")


def terms_of(
    given: Example | Sequence[Example], find: Callable[[str], str], *, unlike: bool = False
) -> tuple[Term, ...]:
    """A term for each example: hits, ids or uris, files (`Path`, or a str that begins as a path), bytes, PIL images.

    Each weighs as much as a query of words, as `+ id:A` does. Raises QueryError for a file that cannot be read, and
    what `find` raises.
    """
    examples = [given] if _is_one(given) else list(cast("Sequence[Example]", given))
    return tuple(_term(one, find, -1.0 if unlike else 1.0) for one in examples)


def picture_term(given: bytes | Image, weight: float = 1.0) -> Term:
    """A picture that came without a file."""
    return Term(picture=given if isinstance(given, bytes) else png(given), name="picture", weight=weight)


def png(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _is_one(given: object) -> TypeGuard[Example]:
    return isinstance(given, (str, bytes, os.PathLike, Hit)) or hasattr(given, "convert")


def _term(given: Example, find: Callable[[str], str], weight: float) -> Term:
    if isinstance(given, Hit):
        return Term(item=given.id, weight=weight)
    if isinstance(given, str) and not given.startswith(_PATHS):
        return Term(item=find(given.removeprefix("id:")), weight=weight)
    if not isinstance(given, (str, os.PathLike)):
        return picture_term(given, weight)
    path = Path(given).expanduser()
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise QueryError(f"the picture '{path}' cannot be read: {reason}") from None
    return Term(picture=data, name=path.name, path=os.fspath(path), weight=weight)
