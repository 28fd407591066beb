"""The hub of models and data sets, over huggingface_hub: a repository at a commit, its files verified as they arrive.

Knows repositories and bytes; nothing of model folders or items. The hub's address, the token and the proxy are the
library's own affair (HF_ENDPOINT, HF_TOKEN, `hf auth login`): they are read there and shown nowhere.
Try it: `python -c "from sightline.hub import snapshot; print(snapshot('immich-app/ViT-B-32__openai'))"`.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from sightline.errors import AccessDenied, DigestMismatch, HubError, HubUnreachable, NotOnHub, Offline

Kind = Literal["model", "dataset"]
T = TypeVar("T")

TRIES = 5
"""Attempts without a byte of progress before a download is given up."""
WAIT = 1.0
"""Seconds before the second attempt; each further wait is twice as long, unless the hub names a time."""
LONGEST_WAIT = 60.0
"""A hub that asks for a longer pause is not waited for."""
CHUNK = 2**20

_PASSING = (408, 429, 500, 502, 503, 504)
_STALLED = 30.0  # seconds without a byte


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file as the hub announces it. `sha256` for large files (LFS), else `blob`: git's SHA-1 of the content."""

    path: str
    size: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one commit: what is fetched from it cannot change any more."""

    repo: str
    kind: Kind
    commit: str
    licence: str | None
    files: tuple[HubFile, ...] = field(repr=False)


def snapshot(repo: str, *, kind: Kind = "model", revision: str | None = None, offline: bool = False) -> Snapshot:
    """What `repo` holds at `revision` (branch, tag or commit; None: its newest state).

    Raises Offline, NotOnHub, AccessDenied or HubUnreachable, and HubError for an answer that cannot be understood.
    """
    refuse_offline(repo, offline)
    from huggingface_hub import HfApi

    def ask() -> Snapshot:
        info = HfApi().repo_info(repo, repo_type=kind, revision=revision, files_metadata=True, timeout=_STALLED)
        return _understood(repo, kind, info)

    try:
        return _patiently(repo, ask)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{host()} answered about {repo} in no way that a hub does ({type(error).__name__})"
        raise HubError(message, hint="check HF_ENDPOINT, or whether a network page waits for a login") from None


def download(source: Snapshot, file: HubFile, target: Path, *, arrived: Callable[[int], None] | None = None) -> str:
    """Fetches one file to `target` and returns its sha256; what is there then is exactly what the hub announced.

    Bytes gather in `target` + `.part`, from which a later call goes on, also after a kill. `arrived` is told how many
    bytes of the file are here. Raises as `snapshot`, and DigestMismatch when the bytes are other ones.
    """
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, part)  # whole by an earlier run: it is checked again, not fetched
    with part.open("ab") as out:
        out.seek(0)
        got = _Digests.of(part, file)
        tell = arrived or (lambda done: None)

        def attempt() -> None:
            tell(got.size)
            for start, chunk in _stream(source, file, got.size):
                if start == 0 < got.size:  # the hub began anew
                    out.truncate(0)
                    got.forget()
                got.add(chunk)
                out.write(chunk)
                if got.size > file.size:
                    break
                tell(got.size)
            if got.size < file.size:
                raise HubUnreachable(f"{host()} ended too early", hint=_NETWORK)

        if got.size != file.size or not file.size:
            _patiently(source.repo, attempt, file=file, progress=lambda: got.size)
        out.flush()
        os.fsync(out.fileno())
    if not got.agree():
        part.unlink()
        raise DigestMismatch(
            f"{file.path} of {source.repo} has another digest than {host()} announces; what came was thrown away",
            hint="run the same command again; if it stays so, do not use this model",
        )
    os.replace(part, target)
    return got.sha256


def refuse_offline(what: str, offline: bool) -> None:
    """Raises Offline when the settings, or the library's own HF_HUB_OFFLINE, forbid the network."""
    if offline:
        raise Offline(f"{what} would need the network, which SIGHTLINE_OFFLINE forbids", hint="unset SIGHTLINE_OFFLINE")
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        raise Offline(f"{what} would need the network, which HF_HUB_OFFLINE forbids", hint="unset HF_HUB_OFFLINE")


def host() -> str:
    """The hub's name as people know it: host and port, without credentials or path."""
    from huggingface_hub import constants

    where = urlsplit(constants.ENDPOINT)
    return f"{where.hostname}{f':{where.port}' if where.port else ''}"


@contextmanager
def translated(repo: str) -> Iterator[None]:
    """What huggingface_hub, and what is built on it, raises inside becomes one of our errors."""
    try:
        yield
    except Exception as error:
        known = _translate(repo, error)
        if known is None:
            raise
        raise known from None


# -- asking ---------------------------------------------------------------------------------------------------------


def _patiently(
    repo: str,
    ask: Callable[[], T],
    *,
    file: HubFile | None = None,
    progress: Callable[[], int] = lambda: 0,
) -> T:
    """What `ask` returns; faults that may pass are waited for, longer each time. Progress begins the count anew."""
    failed, before = 0, progress()
    while True:
        try:
            with translated(repo):
                return ask()
        except HubUnreachable as error:
            failed = failed + 1 if progress() == before else 1
            before = progress()
            wait = WAIT * 2 ** (failed - 1) if error.retry_after is None else error.retry_after
            if failed >= TRIES or wait > LONGEST_WAIT:
                raise _given_up(error, file, before) from None
            time.sleep(wait)


def _given_up(error: HubUnreachable, file: HubFile | None, done: int) -> HubUnreachable:
    if file is None:
        return error
    return HubUnreachable(
        f"{file.path}: {error}; {done:,} of {file.size:,} bytes are here",
        hint="run the same command again: it goes on from there",
        retry_after=error.retry_after,
    )


def _stream(source: Snapshot, file: HubFile, begin: int) -> Iterator[tuple[int, bytes]]:
    """(place in the file, bytes) from `begin` on, or from 0 when the hub cannot do that."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    url = hf_hub_url(source.repo, file.path, repo_type=source.kind, revision=source.commit)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    with get_session().stream("GET", url, headers=headers, timeout=_STALLED) as response:
        hf_raise_for_status(response)
        place = begin if response.status_code == 206 else 0
        for chunk in response.iter_bytes():
            yield place, chunk
            place += len(chunk)


def _translate(repo: str, error: BaseException) -> HubError | None:
    """Ours for what the library raised, its causes included; None when it is no fault of the hub or the network."""
    import httpx2
    from huggingface_hub import errors

    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, HubError):
            return error
        if isinstance(error, errors.OfflineModeIsEnabled):
            return Offline(f"{repo} would need the network, which is switched off", hint="unset HF_HUB_OFFLINE")
        if isinstance(error, errors.HFValidationError):
            return NotOnHub(f"{repo!r} cannot be the name of a repository", hint="expected owner/name")
        if isinstance(error, errors.HfHubHTTPError):
            return _status(repo, error)
        if isinstance(error, httpx2.TimeoutException):
            return HubUnreachable(f"{host()} did not answer in time", hint=_NETWORK)
        if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError):
            return HubUnreachable(f"the connection to {host()} was cut", hint=_NETWORK)
        if isinstance(error, httpx2.TransportError | httpx2.TooManyRedirects):
            return HubUnreachable(f"{host()} cannot be reached ({type(error).__name__})", hint=_NETWORK)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return None


_NETWORK = "check the network and HF_ENDPOINT, then run the same command again"
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


def _status(repo: str, error: Any) -> HubError:
    from huggingface_hub import errors

    code = int(error.response.status_code)
    if isinstance(error, errors.GatedRepoError):
        return AccessDenied(
            f"{repo} is open only to people who accepted its terms", hint=f"accept them there; {_LOG_IN}"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return NotOnHub(f"{repo} has no such revision on {host()}", hint="leave the revision out, or check its name")
    if code == 401:
        return AccessDenied(
            f"{host()} has no {repo} that is open without a token", hint=f"check the name, or {_LOG_IN}"
        )
    if code == 403:
        return AccessDenied(f"{host()} refuses access to {repo}", hint=f"check the token's rights, or {_LOG_IN}")
    if code in (404, 410, 451):
        return NotOnHub(f"{repo} is not on {host()}", hint="check the name: it is owner/name")
    if code == 416:
        return HubError(
            f"{host()} does not have {repo} in the size that it announced", hint="run the same command again"
        )
    if code in _PASSING:
        what = "asks for a pause (too many requests)" if code == 429 else f"is out of order (status {code})"
        return HubUnreachable(f"{host()} {what}", hint="try again in some minutes", retry_after=_retry_after(error))
    return HubError(f"{host()} answered with status {code} for {repo}", hint="try again later")


def _retry_after(error: Any) -> float | None:
    named = error.response.headers.get("Retry-After", "")
    return float(named) if named.isdecimal() else None


# -- understanding --------------------------------------------------------------------------------------------------


def _understood(repo: str, kind: Kind, info: Any) -> Snapshot:
    if not re.fullmatch("[0-9a-f]{40,64}", info.sha):
        raise ValueError(f"commit {info.sha!r}")
    return Snapshot(repo, kind, info.sha, _licence(info), tuple(_file(sibling) for sibling in info.siblings or ()))


def _file(sibling: Any) -> HubFile:
    sha256 = sibling.lfs["sha256"] if sibling.lfs else None
    return HubFile(str(sibling.rfilename), int(sibling.size or 0), sha256, sibling.blob_id)


def _licence(info: Any) -> str | None:
    card = dict(info.card_data.to_dict()) if info.card_data is not None else {}
    named = card.get("license_name") if card.get("license") == "other" else card.get("license")
    tagged = [tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")]
    seen = named or card.get("license") or tagged
    return ", ".join(map(str, seen)) if isinstance(seen, list) else str(seen) or None


class _Digests:
    """The digest of the bytes so far that the hub announced, and their sha256, which is what we record."""

    def __init__(self, file: HubFile) -> None:
        self._file = file
        self.forget()

    @classmethod
    def of(cls, part: Path, file: HubFile) -> _Digests:
        """Of what an earlier run left; more than was announced is none of it."""
        digests = cls(file)
        if part.stat().st_size <= file.size:
            with part.open("rb") as have:
                while chunk := have.read(CHUNK):
                    digests.add(chunk)
        else:
            os.truncate(part, 0)
        return digests

    def forget(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._blob = hashlib.sha1(f"blob {self._file.size}\0".encode(), usedforsecurity=False)  # as git does

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._sha256.update(chunk)
        if self._file.sha256 is None:
            self._blob.update(chunk)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def agree(self) -> bool:
        """Whether size and digest are the announced ones; a file without a digest is never taken."""
        if self.size != self._file.size:
            return False
        announced = self._file.sha256
        return self.sha256 == announced if announced else self._blob.hexdigest() == self._file.blob
