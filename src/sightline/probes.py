"""Text queries that stand for those to come, for measuring what the index over vectors finds of them.

Captions say what people say of these very pictures; where there are too few, everyday sentences do.
"""

from __future__ import annotations

from collections.abc import Callable

from sightline.ann import Questions
from sightline.background import sentences
from sightline.encoders import Encoder
from sightline.errors import EncoderMismatch, ModelError
from sightline.recall import QUESTIONS
from sightline.schema import Modality
from sightline.store import Store

DRAWN = 4
"""So many rows are looked at for each question: not all have a caption, and some have the same."""


def questions(store: Store, encoder: Callable[[], Encoder]) -> Questions | None:
    """None where the encoder of these rows is not at hand, or takes no text."""
    try:
        model = encoder()
    except (ModelError, EncoderMismatch):
        return None
    if Modality.TEXT not in model.modalities or model.fingerprint != store.manifest.fingerprint:
        return None
    lines = (text.split("\n", 1)[0].strip() for text in store.drawn(DRAWN * QUESTIONS).texts)
    captions = list(dict.fromkeys(line for line in lines if line))
    if len(captions) >= QUESTIONS:
        return Questions(model.encode_text(captions[:QUESTIONS]), "captions")
    return Questions(model.encode_text(sentences()[:QUESTIONS]), "sentences")
