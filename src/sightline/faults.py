"""Faults: an error of ours -> a status, and a document that says what to do and nothing of this machine."""

from __future__ import annotations

from sightline.errors import (
    BadMedia,
    CollectionError,
    CollectionLocked,
    CollectionMissing,
    GeneratorError,
    MissingExtra,
    QueryError,
    SightlineError,
    UsageError,
)
from sightline.site import Changed, NotHere, ReadOnly, Site
from sightline.workers import Busy

_STATUS: tuple[tuple[type[SightlineError], int], ...] = (
    (NotHere, 404),
    (ReadOnly, 403),
    (Changed, 409),
    (Busy, 503),
    (QueryError, 400),
    (BadMedia, 400),
    (UsageError, 400),
    (CollectionLocked, 503),
    (CollectionMissing, 404),
    (GeneratorError, 502),
    (MissingExtra, 501),
)
"""The first that fits; else 500."""
_OWN_WORDS = (NotHere, ReadOnly, Changed, Busy, QueryError, BadMedia, UsageError)
"""What may be passed on as it was said: it speaks of what was asked."""
_INSTEAD: tuple[tuple[type[SightlineError], str, str], ...] = (
    (CollectionMissing, "there are no pictures here yet", "add some: POST /api/items, or `sightline index FOLDER`"),
    (CollectionLocked, "another process is writing to the collection", "try again in a few seconds"),
    (GeneratorError, "what writes answers failed", "the server's log has the details; searching works"),
    (MissingExtra, "the server lacks what this needs", "the server's log has the details"),
    (CollectionError, "the collection cannot be used", "run `sightline verify`; the server's log has the details"),
)


def status_of(error: SightlineError) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def document(error: Exception, site: Site) -> dict[str, str]:
    """`{error, message, hint}` without paths, addresses or anything else of the server's own."""
    name = type(error).__name__ if isinstance(error, SightlineError) else "InternalError"
    if isinstance(error, _OWN_WORDS):
        return {"error": name, "message": site.said(str(error)), "hint": site.said(error.hint)}
    for kind, message, hint in _INSTEAD:
        if isinstance(error, kind):
            return {"error": name, "message": message, "hint": hint}
    return {"error": name, "message": "something failed here", "hint": "the server's log has the details"}
