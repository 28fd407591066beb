"""Choice: which encoder a collection has. Its own, if the one asked for is the same; a new one has the one asked for.

Every collection remembers the fingerprint of its encoder and refuses another one before a model is loaded. Knows the
store's manifest, the settings and the encoders; the second noun of collection.py.
"""

from __future__ import annotations

import os
import threading
from typing import TypeAlias

from sightline.config import Settings
from sightline.encoders import POCKET, Encoder, PreparingEncoder, choose_default, describe, find_model, load_encoder
from sightline.errors import EncoderMismatch, UnknownModel
from sightline.schema import Manifest
from sightline.store import Store

Model: TypeAlias = str | os.PathLike[str] | Encoder
"""A name, a model folder, or any object that fits `Encoder`."""


class Choice:
    """The encoder of one collection, built when first asked for. `given` None or "auto": the collection's own.

    `notice` is what there is to say about the choice, once a new collection's model was chosen.
    """

    def __init__(self, store: Store, settings: Settings, given: Model | None) -> None:
        self._store, self._settings, self._given = store, settings, given
        self._encoder: Encoder | None = None
        self._building = threading.Lock()
        self.notice: str | None = None

    @property
    def encoder(self) -> Encoder:
        """Raises EncoderMismatch; UnknownModel and CorruptModel for what is not there or broken."""
        with self._building:
            if self._encoder is None:
                self._encoder = self._built()
            return self._encoder

    def check(self) -> None:
        """Compare the collection's fingerprint with the model asked for. Reads files, loads no model."""
        manifest = self._store.manifest
        if self._given is None or self._given == "auto":
            return
        if isinstance(self._given, (str, os.PathLike)):
            card = describe(find_model(self._given, self._settings.models_dir), cache_dir=self._settings.cache)
            self._compare(manifest, card.name, card.dim, card.fingerprint)
        else:
            self._compare(manifest, self._given.name, self._given.dim, self._given.fingerprint)

    def another(self, model: Model) -> Encoder:
        """The encoder of another model, with which the collection is to be encoded anew; `settle` when that is done."""
        with self._building:
            self._given, self._encoder = model, None
        return self._asked_for()

    def settle(self, encoder: Encoder) -> None:
        """The collection has this encoder now."""
        with self._building:
            self._encoder = encoder

    def reconsider(self) -> None:
        """Forget an encoder that is no longer the collection's, as after a restore of a version from before it."""
        with self._building:
            if self._encoder is not None and self._encoder.fingerprint != self._store.manifest.fingerprint:
                self._encoder = self._given = None

    def batch_size(self, encoder: Encoder) -> int:
        """Pictures per forward pass."""
        if self._settings.batch_size:
            return self._settings.batch_size
        return encoder.batch_size if isinstance(encoder, PreparingEncoder) else 16

    def _built(self) -> Encoder:
        if not self._store.exists:
            return self._asked_for()
        manifest = self._store.manifest
        if self._given is None or self._given == "auto":
            return self._own(manifest)
        encoder = self._asked_for()
        self._compare(manifest, encoder.name, encoder.dim, encoder.fingerprint)
        return encoder

    def _own(self, manifest: Manifest) -> Encoder:
        """Find the model that the manifest names; a folder outside the known places has to be given again."""
        address = self._store.address
        try:
            encoder = self._load(manifest.encoder)
        except UnknownModel as error:
            if manifest.encoder.startswith(f"{POCKET}-"):
                anew = f"sightline index --rebuild --model {POCKET} -c {address}"
                hint = f"encode the collection anew, from the pictures it holds: {anew}"
            else:
                hint = f"{error.hint}; or give its folder with --model, or encode anew: index --rebuild --model NAME"
            raise UnknownModel(
                f"collection '{address}' was built with {manifest.encoder}, which is not here: {error}", hint=hint
            ) from None
        self._compare(manifest, encoder.name, encoder.dim, encoder.fingerprint)
        return encoder

    def _asked_for(self) -> Encoder:
        given = self._given if self._given is not None else self._settings.model
        if not isinstance(given, (str, os.PathLike)):
            return given
        name = os.fspath(given)
        if name == "auto":
            name = choose_default(self._settings.models_dir)
            if name == POCKET:
                self.notice = "using the small bundled model 'pocket'; a larger one finds more: sightline models list"
        return self._load(name)

    def _load(self, name: str) -> Encoder:
        settings = self._settings
        return load_encoder(
            name,
            models_dir=settings.models_dir,
            cache_dir=settings.cache,
            runtime=settings.runtime,
            device=settings.device,
            precision=settings.precision,
            batch_size=settings.batch_size,
        )

    def _compare(self, manifest: Manifest, name: str, dim: int, fingerprint: str) -> None:
        if fingerprint == manifest.fingerprint:
            return
        address = self._store.address
        raise EncoderMismatch(
            f"collection '{address}' was built with {manifest.encoder} ({manifest.dim}-d, "
            f"{manifest.fingerprint[:8]}), not {name} ({dim}-d, {fingerprint[:8]})",
            hint=f"leave --model out, or encode it anew: sightline index --rebuild --model {name} -c {address}",
        )


def manifest_of(encoder: Encoder) -> Manifest:
    """What a collection made with this encoder remembers of it."""
    card = getattr(encoder, "card", None)
    return Manifest(encoder.name, encoder.dim, encoder.fingerprint, getattr(card, "preprocessing", ""))
