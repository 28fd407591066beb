"""Captions kept beside pictures: captions.csv, metadata.csv, metadata.jsonl and same-named .txt files.

Knows nothing of sources: it is given a folder, the names in it and a function that reads a file. Whatever these files
hold (bad bytes, NULs, ragged rows), they are data and never end a run.
Try it: `python -c "from sightline.captions import joined; print(joined(['a  cat', 'a cat', 'a dog']))"`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import BadMedia

CAPTION_FILES = ("captions.csv", "metadata.csv", "metadata.jsonl")
CAPTION_COLUMNS = ("text", "caption", "captions", "sentences")
MAX_CAPTION = 10_000
"""Characters of one caption; the rest is cut off."""
MAX_CAPTIONS = 100
MAX_META = 1_000
"""Characters of one other value; a longer one is left out, as is what stands behind MAX_COLUMNS."""
MAX_COLUMNS = 50
MAX_BYTES = {".csv": 2**26, ".jsonl": 2**26, ".txt": 2**20}
"""The largest caption file of each kind that is read."""


@dataclass(slots=True)
class Notes:
    """What caption files say of one picture: captions in their order, and the other columns of its first row."""

    captions: list[Any] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)


class Captions:
    """The captions kept in one folder, of which `files` are the names; `read(name, limit)` gives a file's bytes.

    `problems`: file name -> why it could not be understood, or not wholly; what was understood before counts.
    """

    def __init__(self, files: Sequence[str], read: Callable[[str, int], bytes]) -> None:
        self.problems: dict[str, str] = {}
        self._read = read
        self._sidecars = frozenset(name for name in files if name.endswith(".txt"))
        self._notes: dict[str, Notes] = {}
        for name in CAPTION_FILES:
            if name in files:
                rows = _jsonl_rows if name.endswith(".jsonl") else _csv_rows
                try:
                    self._take(rows(self._text(name)))
                except Exception as error:  # csv, json and codecs raise many kinds
                    self._report(name, error)

    def find(self, name: str) -> Notes | None:
        return self._notes.get(_key(name)) if self._notes else None

    def sidecar(self, name: str) -> list[str]:
        """The lines of the .txt beside a picture, each a caption."""
        beside = sidecar_name(name)
        if beside not in self._sidecars:
            return []
        try:
            return self._text(beside).splitlines()
        except (OSError, ValueError, BadMedia) as error:
            self._report(beside, error)
            return []

    def _take(self, rows: Iterator[Mapping[str, Any]]) -> None:
        for row in rows:
            key, texts = _key(str(row.get("file_name") or row.get("file"))), row.get("text") or row.get("caption")
            notes = self._notes.get(key)
            if notes is None:
                notes = self._notes[key] = Notes(meta=small(row))
            if len(notes.captions) < MAX_CAPTIONS:
                notes.captions.extend(texts if isinstance(texts, list) else [texts])

    def _text(self, name: str) -> str:
        data = self._read(name, MAX_BYTES[os.path.splitext(name)[1]])
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16", "replace")
        return data.decode("utf-8-sig", "replace").replace("\0", "")

    def _report(self, name: str, error: Exception) -> None:
        self.problems[name] = f"captions not understood: {type(error).__name__}: {error}"[:200]


def _key(name: str) -> str:
    """One spelling for the file names in caption files: `./a\\b.jpg` is `a/b.jpg`, accents composed."""
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/").removeprefix("./"))


def sidecar_name(name: str) -> str:
    return os.path.splitext(name)[0] + ".txt"


def _csv_rows(text: str) -> Iterator[Mapping[str, Any]]:
    header = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    columns = [name.strip().lower() for name in next(lines, [])]
    if not {"file_name", "file"} & set(columns):
        raise ValueError(f"columns {columns[:20]}, expected file_name or file, and text or caption")
    for line in lines:
        row = dict(zip(columns, line, strict=False))  # a ragged row gives what it has
        if row.get("file_name") or row.get("file"):
            yield row


def _jsonl_rows(text: str) -> Iterator[Mapping[str, Any]]:
    bad = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict) and isinstance(row.get("file_name") or row.get("file"), str):
            yield row
        else:
            bad.append(number)
    if bad:
        raise ValueError(f"{len(bad)} lines are not JSON objects with file_name or file, first line {bad[0]}")


def small(row: Mapping[str, Any]) -> dict[str, Any]:
    """The other columns of a row, where they are plain and short."""
    used = {"", "file", "file_name", *CAPTION_COLUMNS}
    others = [(_clean(str(k)), v) for k, v in row.items() if k not in used][:MAX_COLUMNS]
    plain = {k: _clean(v) if isinstance(v, str) else v for k, v in others}
    return {
        k: v
        for k, v in plain.items()
        if (isinstance(v, str) and 0 < len(v) <= MAX_META)
        or (isinstance(v, bool | int) and abs(v) < 2**63)
        or (isinstance(v, float) and math.isfinite(v))
    }


def joined(captions: Iterable[Any]) -> str:
    """Captions as one string, one a line, in order, without doubles; each at most MAX_CAPTION characters."""
    kept = dict.fromkeys(_clean(text) for text in captions if isinstance(text, str))
    return "\n".join([text for text in kept if text][:MAX_CAPTIONS])


def _clean(text: str) -> str:
    """On one line, valid Unicode, without NUL."""
    short = text[: 4 * MAX_CAPTION].replace("\0", "").encode("utf-8", "replace").decode()
    return " ".join(short.split())[:MAX_CAPTION]
