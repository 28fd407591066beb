"""Sightline: search and question your own pictures, offline.

    import sightline

    photos = sightline.open("data/tables#photos")
    photos.ingest("~/Pictures")
    photos.search("a road with a stop sign", k=3)[0].image

Names are loaded when they are first used, so that `import sightline` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline import errors
    from sightline.answers import Answer
    from sightline.collection import Collection, drop_collection, list_collections, open
    from sightline.conversation import Conversation
    from sightline.encoders import Encoder, load_encoder
    from sightline.schema import Hit, Hits, Item

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Collection",
    "Conversation",
    "Encoder",
    "Hit",
    "Hits",
    "Item",
    "__version__",
    "drop_collection",
    "errors",
    "list_collections",
    "load_encoder",
    "open",
]

_HOMES = {
    "Answer": "answers",
    "Collection": "collection",
    "Conversation": "conversation",
    "Encoder": "encoders",
    "Hit": "schema",
    "Hits": "schema",
    "Item": "schema",
    "drop_collection": "collection",
    "list_collections": "collection",
    "load_encoder": "encoders",
    "open": "collection",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("sightline.errors")
    if name in _HOMES:
        return getattr(importlib.import_module(f"sightline.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'sightline' has no attribute {name!r}")
