"""Everything that Sightline raises on purpose.

    SightlineError                    message: what was seen and expected; hint: what to do
    ├── UsageError                    a flag, query or number that cannot be meant (CLI exit 2)
    │   └── QueryError                the query or the where-clause cannot be understood
    ├── SourceError                   a source is missing, empty, unreadable or of an unknown kind
    ├── BadMedia                      one item cannot become an encodable picture; carries a SkipReason
    ├── ModelError                    a model cannot be used
    │   ├── UnknownModel              no such name, and no such folder
    │   └── CorruptModel              the folder is there but is not a whole model
    ├── HubError                      the hub of models and data sets did not give what was asked for
    │   ├── Offline                   the settings forbid the network
    │   ├── NotOnHub                  no such repository or revision
    │   ├── AccessDenied              a token, or terms to be accepted, are needed
    │   ├── HubUnreachable            no network, a cut, or a busy hub, after all retries
    │   └── DigestMismatch            the bytes that came are not the announced ones
    ├── GeneratorError                what writes answers failed, or broke off
    ├── BadVectors                    an encoder or caller gave vectors of the wrong shape, NaN, infinite or zero
    ├── CollectionError               a collection cannot be used as asked
    │   ├── CollectionMissing         nothing at this address
    │   ├── ForeignTable              a LanceDB table that Sightline did not make
    │   ├── CollectionDamaged         no readable version is left
    │   ├── CollectionLocked          another process is writing
    │   └── EncoderMismatch           the collection belongs to another encoder
    ├── NoDecoder                     a decoding process cannot be started
    └── MissingExtra                  an optional dependency is not installed; names the pip command

The core raises these and never prints or exits; cli.py turns them into one line and an exit code.
"""

from __future__ import annotations


class SightlineError(Exception):
    """Root of the tree. `str(error)` is the message; `hint` says what to do next (may be empty)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(SightlineError):
    exit_code = 2


class QueryError(UsageError):
    """`text` and `at` say where in the query it is: `at` counts characters from 0, None when it is nowhere."""

    def __init__(self, message: str, *, hint: str = "", text: str = "", at: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.at = at


class SourceError(SightlineError):
    pass


class BadMedia(SightlineError):
    """One item cannot be decoded. `reason` is a value of `schema.SkipReason`."""

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ModelError(SightlineError):
    pass


class UnknownModel(ModelError):
    pass


class CorruptModel(ModelError):
    pass


class HubError(SightlineError):
    pass


class Offline(HubError):
    pass


class NotOnHub(HubError):
    pass


class AccessDenied(HubError):
    pass


class HubUnreachable(HubError):
    """It may work later. `retry_after`: the seconds that the hub asked for, None when it did not say."""

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class DigestMismatch(HubError):
    pass


class GeneratorError(SightlineError):
    """Nothing is lost by it: what was found is still there to be shown."""


class BadVectors(SightlineError):
    pass


class CollectionError(SightlineError):
    pass


class CollectionMissing(CollectionError):
    pass


class ForeignTable(CollectionError):
    pass


class CollectionDamaged(CollectionError):
    pass


class CollectionLocked(CollectionError):
    pass


class EncoderMismatch(CollectionError):
    """The collection's vectors come from another encoder than the one asked for. Nothing was written."""


class NoDecoder(SightlineError):
    pass


class MissingExtra(SightlineError):
    """`extra` is the name in brackets: `pip install 'sightline[extra]'`."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs packages that are not installed",
            hint=f"pip install 'sightline[{extra}]'",
        )
        self.extra = extra
