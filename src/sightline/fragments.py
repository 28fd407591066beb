"""What one version of a Lance table needs on the disk, read from its manifest without LanceDB. The store's fifth noun.

LanceDB opens a table whose data files are gone or zero-filled and fails at the first row, and never says which file.
A manifest is a protobuf message between a length and a footer (Lance format, "Manifest" and "File layout"); only the
few fields that name files are read here. Row addresses are `fragment << 32 | offset`, so that LanceDB
can be asked for the rows of one fragment and leaves the damaged ones alone.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"LANC"  # the last four bytes of every Lance file and manifest
ARROW_MAGIC = b"ARROW1"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A run of rows and its files, named relative to the table's folder. `rows` of its `places` are not deleted."""

    number: int
    places: int
    rows: int
    files: tuple[str, ...]


def newest_first(folder: Path) -> list[Path]:
    """The manifests of a Lance table, newest first (V2 names count down from 2**64 - 1, V1 names count up)."""

    manifests = [path for path in (folder / "_versions").glob("*.manifest") if path.stem.isdigit()]
    return sorted(manifests, key=version_number, reverse=True)


def manifest_of(folder: Path, version: int) -> Path:
    """The manifest of one version. Raises FileNotFoundError when a cleanup took it."""
    for manifest in newest_first(folder):
        if version_number(manifest) == version:
            return manifest
    raise FileNotFoundError(f"version {version} of {folder.name}")


def is_whole(manifest: Path) -> bool:
    """Whether the footer is there and points at a message inside the file.

    Lance 13 panics on a length that reaches past the end, so this is looked at before it is asked to open anything.
    """
    try:
        return bool(_message(manifest.read_bytes()))
    except FileNotFoundError:
        return True  # a cleanup in another process took it: not ours to judge


def fragments(manifest: Path) -> list[Fragment]:
    """The fragments of one version. Raises OSError when the manifest is gone, ValueError when it is no manifest."""
    found = []
    for number, value in _fields(_message(manifest.read_bytes())):
        if number == 2 and isinstance(value, bytes):
            found.append(_fragment(value))
    return found


def damaged_fragments(folder: Path, manifest: Path) -> dict[Fragment, str]:
    """Fragments that cannot be read, each with the file that is the reason. Looks at the ends of the files only."""
    found = {}
    for fragment in fragments(manifest):
        for name in fragment.files:
            if not _ends_well(folder / name):
                found[fragment] = name
                break
    return found


def damaged_indexes(folder: Path, manifest: Path) -> list[str]:
    """Files of the indexes that this version uses and that cannot be read."""
    found = []
    for ident in _indexes(manifest.read_bytes()):
        index = folder / "_indices" / str(uuid.UUID(bytes=ident))
        if not index.is_dir():
            found.append(f"_indices/{index.name}")
            continue
        found += [f"_indices/{index.name}/{path.name}" for path in sorted(index.iterdir()) if not _ends_well(path)]
    return found


def addresses(fragment: Fragment) -> range:
    """Addresses of the rows of one fragment, deleted ones among them; LanceDB passes over these when asked for them."""
    first = fragment.number << 32
    return range(first, first + fragment.places)


# ---- the format -----------------------------------------------------------------------------------------------


def version_number(manifest: Path) -> int:
    number = int(manifest.stem)
    return 2**64 - 1 - number if len(manifest.stem) == 20 else number


def _message(data: bytes) -> bytes:
    """The manifest's protobuf message, or nothing when the file is cut, zero-filled or otherwise not whole."""
    if len(data) < 16 or data[-4:] != MAGIC:
        return b""
    start = int.from_bytes(data[-16:-8], "little")
    if start + 4 > len(data) - 16:
        return b""
    length = int.from_bytes(data[start : start + 4], "little")
    return data[start + 4 : start + 4 + length] if start + 4 + length <= len(data) - 16 else b""


def _indexes(data: bytes) -> list[bytes]:
    """Ids of the indexes: manifest field 6 is the place of IndexSection {indices = 1 {uuid = 1 {bytes = 1}}}."""
    start = next((value for field, value in _fields(_message(data)) if field == 6), None)
    if not isinstance(start, int):
        return []
    length = int.from_bytes(data[start : start + 4], "little")
    section = data[start + 4 : start + 4 + length]
    return [
        ident
        for number, index in _fields(section)
        if number == 1 and isinstance(index, bytes)
        for field, value in _fields(index)
        if field == 1 and isinstance(value, bytes)
        for _, ident in _fields(value)
        if isinstance(ident, bytes) and len(ident) == 16
    ]


def _fragment(data: bytes) -> Fragment:
    """DataFragment {id = 1, files = 2 {path = 1}, deletion_file = 3, physical_rows = 4}."""
    number = places = deleted = 0
    files: list[str] = []
    deletion: dict[int, int | bytes] = {}
    for field, value in _fields(data):
        if field == 1 and isinstance(value, int):
            number = value
        elif field == 2 and isinstance(value, bytes):
            files += [f"data/{v.decode()}" for f, v in _fields(value) if f == 1 and isinstance(v, bytes)]
        elif field == 3 and isinstance(value, bytes):
            deletion = dict(_fields(value))
        elif field == 4 and isinstance(value, int):
            places = value
    if deletion:  # DeletionFile {type = 1 (0 arrow, 1 bitmap), read_version = 2, id = 3, deleted rows = 4}
        kind, read_version, ident, deleted = (int(deletion.get(field, 0)) for field in (1, 2, 3, 4))
        files.append(f"_deletions/{number}-{read_version}-{ident}.{'bin' if kind == 1 else 'arrow'}")
    return Fragment(number, places, places - deleted, tuple(files))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protobuf message, top level only. Raises ValueError on what is no message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"protobuf wire type {kind}")
        if at + size > len(data):
            raise ValueError("protobuf field reaches past the end")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
        shift += 7
    raise ValueError("protobuf number without an end")


def _ends_well(path: Path) -> bool:
    """Whether a file ends as its kind must. A cut, empty or zero-filled one does not."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 8))
            tail = file.read(8)
    except OSError:
        return False
    if path.suffix == ".lance":
        return tail[-4:] == MAGIC
    if path.suffix == ".arrow":
        return tail[-6:] == ARROW_MAGIC
    return any(tail)
