"""`wds:GLOB` sources: webdataset shards, tar files in which members of one name are one sample (7.jpg, 7.txt, 7.json).

Members are read in the order of the file and never leave it: no path in an archive is ever opened, links and devices
are passed over, and what a header claims is believed only as far as the limits here.
Try it: `python -c "from sightline.sources import open_source; print(*open_source('wds:shards/*.tar'), sep='\\n')"`.
"""

from __future__ import annotations

import gzip
import json
import os
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from sightline.captions import CAPTION_COLUMNS, joined, small
from sightline.errors import SourceError
from sightline.schema import Item, Skipped, SkipReason
from sightline.sources import MAX_BYTES, held, say, shown

PICTURES = re.compile("jpe?g|jpe|png|webp|gif|bmp|tiff?|avif|jp2|j2k|ico|p[pgbn]m|hei[cf]|ima?ge?", re.IGNORECASE)
"""Last parts of names that may be pictures; the content decides."""
MAX_CAPTION_FILE = 2**20
MAX_RATIO = 100
"""A packed shard that unpacks to more than this many times its size is given up: pictures hardly pack at all."""
MAX_PICTURES = 16
"""In one sample."""

_FREE = 256 * 2**20  # bytes that any shard may unpack to
_MAX_HEADER = 2**20  # long names and pax headers are read into memory
_MAX_NAME = 4096


@dataclass(slots=True)
class Shards:
    """Samples of tar files, packed or not. A file that cannot be read, or not to its end, is Skipped after what was."""

    paths: tuple[str, ...]
    unlisted: list[str] = field(default_factory=list)

    @property
    def roots(self) -> tuple[str, ...]:
        return tuple(_uri(path) + "#" for path in self.paths)

    def __iter__(self) -> Iterator[Item | Skipped]:
        self.unlisted.clear()
        found, faults = 0, []
        for path in self.paths:
            try:
                for entry in _samples(path):
                    found += 1
                    yield entry
            except Exception as error:  # tarfile and the packers raise many kinds; a bad file does not end the others
                faults.append(f"{shown(path)}: {say(error)}")
                self.unlisted.append(_uri(path))
                yield Skipped(_uri(path), SkipReason.UNREADABLE, say(error))
        if not found:
            seen = faults[0] if faults else f"{shown(self.paths[0])}: no pictures"
            raise SourceError(seen, hint="expected a tar file of pictures, with captions in .txt or .json beside them")


@dataclass(slots=True)
class _Sample:
    """Members of one key, as far as they are of use."""

    key: str
    pictures: list[tuple[str, bytes | int]] = field(default_factory=list)  # (ending, bytes, or how many were too many)
    texts: dict[str, bytes] = field(default_factory=dict)

    def add(self, ending: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        kind = ending.rsplit(".", 1)[-1].lower()
        if PICTURES.fullmatch(kind) and len(self.pictures) < MAX_PICTURES:
            room = MAX_BYTES - sum(len(data) for _, data in self.pictures if isinstance(data, bytes))
            self.pictures.append((ending, _content(member, archive) if member.size <= room else member.size))
        elif kind in ("txt", "json", "caption") and member.size <= MAX_CAPTION_FILE:
            self.texts.setdefault(kind, _content(member, archive))

    def entries(self, place: str, base: str, mtime_ns: int) -> Iterator[Item | Skipped]:
        captions, meta = self._said()
        for ending, data in self.pictures:
            key = self.key if len(self.pictures) == 1 else f"{self.key}.{ending}"
            uri = f"{place}#{quote(os.fsencode(key))}"
            if isinstance(data, int):
                yield Skipped(uri, SkipReason.TOO_LARGE, f"{data:,} bytes", data)
            else:
                yield held(uri, f"{base}#{shown(key)}", data, captions, mtime_ns=mtime_ns, meta=meta)

    def _said(self) -> tuple[str, dict[str, Any]]:
        """Captions and other facts; what cannot be understood says nothing."""
        written = (self.texts.get(kind, b"").decode("utf-8-sig", "replace") for kind in ("txt", "caption"))
        lines: list[Any] = [line for text in written for line in text.splitlines()]
        try:
            facts = json.loads(self.texts.get("json", b"{}"))
        except (ValueError, RecursionError):
            facts = {}
        facts = facts if isinstance(facts, dict) else {"caption": facts}
        for name in CAPTION_COLUMNS:
            value = facts.get(name)
            lines += value if isinstance(value, list) else [value]
        return joined(lines), small(facts)


def _samples(path: str) -> Iterator[Item | Skipped]:
    place, base, found = _uri(path), shown(os.path.basename(path)), os.stat(path)
    for sample in _gathered(path, found.st_size):
        yield from sample.entries(place, base, found.st_mtime_ns)


def _gathered(path: str, size: int) -> Iterator[_Sample]:
    """The samples of one shard in order, one in memory; where it breaks off, what is whole of the last one."""
    sample: _Sample | None = None
    try:
        for member, archive in _members(path, size):
            key, ending = _split(member.name)
            if sample is None or key != sample.key:
                if sample is not None:
                    yield sample
                sample = _Sample(key)
            sample.add(ending, member, archive)
    except Exception:
        if sample is not None:
            yield sample
        raise
    if sample is not None:
        yield sample


def _members(path: str, size: int) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """The regular files of a tar file that have a key."""
    with _opened(path) as file, tarfile.open(fileobj=file, mode="r|", tarinfo=_Header) as archive:
        unpacked = 0
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every header otherwise
            unpacked += member.size
            if unpacked > _FREE + MAX_RATIO * size:
                raise tarfile.ReadError(f"unpacks to more than {MAX_RATIO} times its size")
            if member.isreg() and not member.issparse() and len(member.name) <= _MAX_NAME and _split(member.name)[1]:
                yield member, archive


def _opened(path: str) -> BinaryIO:
    """A plain or gzip-packed file. bzip2 and xz can unpack a few kilobytes to gigabytes in one step."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else open(path, "rb")


def _split(name: str) -> tuple[str, str]:
    """Key and ending as webdataset has them: the first dot of the last part divides. Hidden and AppleDouble: none."""
    folder, last = posixpath.split(name)
    stem, dot, ending = last.partition(".")
    return (posixpath.join(folder, stem), ending) if stem and dot and not last.startswith(".") else (name, "")


def _content(member: tarfile.TarInfo, archive: tarfile.TarFile) -> bytes:
    file = archive.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data


class _Header(tarfile.TarInfo):
    """A header that says when it is damaged, and does not read any amount of text into memory.

    tarfile takes a damaged header after the first for the end of the archive: the samples behind it would be missing
    without a word. `frombuf` and `_proc_member` are the places that tarfile's own comments name for subclasses.
    """

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> _Header:  # type: ignore[override]
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"damaged or cut: {error}") from None

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in _TEXTS and self.size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


_TEXTS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, b"X")


def _uri(path: str) -> str:
    return "wds:" + quote(os.fsencode(path))
