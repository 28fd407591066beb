"""Where items come from: folders, files, parquet files and the bundled streets. Lists, never decodes.

Knows nothing of encoders or collections; data sets of the hub are in `hubsets.py`, tar files in `archives.py`, lists of
addresses in `links.py`. Try it: `python -c "from
sightline.sources import open_source; print(*open_source('streets:test'), sep='\\n')"`. A listing streams: memory holds
the names of the folders that are open at the moment and one folder's captions, never the whole list.
"""

from __future__ import annotations

import glob
import importlib.resources
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import quote, unquote_to_bytes

from pathspec import GitIgnoreSpec

from sightline import signatures
from sightline.captions import CAPTION_COLUMNS, CAPTION_FILES, Captions, Notes, joined, sidecar_name, small
from sightline.errors import BadMedia, SourceError, UsageError
from sightline.schema import Item, Skipped, SkipReason

if TYPE_CHECKING:
    import pyarrow as pa

MAX_BYTES = 256 * 2**20
"""A larger file is `too_large`, unread."""
IGNORE_FILE = ".sightlineignore"
LANCE = ".lance"
"""Folders with this ending are LanceDB tables, perhaps the very collection that is being filled: never listed."""

_KINDS = "a folder, a file, parquet:GLOB, hf:OWNER/NAME[:SPLIT], wds:GLOB, urls:FILE or streets[:train|:test]"


@runtime_checkable
class Fixed(Protocol):
    """A source whose items cannot change under their uris. An ingest binds `settled`: whether all of these uris are
    dealt with, so that they need not be read; they are listed all the same."""

    settled: Callable[[Sequence[str]], bool] | None


@runtime_checkable
class Source(Protocol):
    """Lists items; what cannot be listed comes as Skipped. Can be iterated again.

    `roots` are uri prefixes: every uri under one of them belongs to this source, so one that a whole listing did not
    see is gone. `unlisted` holds what the last iteration could not look into: while it is not empty, nothing may be
    taken for gone.
    """

    @property
    def roots(self) -> tuple[str, ...]: ...
    @property
    def unlisted(self) -> list[str]: ...
    def __iter__(self) -> Iterator[Item | Skipped]: ...


def open_source(
    spec: str | os.PathLike[str] | Iterable[Item],
    *,
    exclude: Sequence[str] = (),
    offline: bool = False,
    allow_private_urls: bool = False,
) -> Source:
    """The source that `spec` names: a folder, a file, one of the kinds of _KINDS, or any items.

    `exclude` are gitignore patterns for folders; `offline` forbids the network, `allow_private_urls` lets `urls:` reach
    servers that are not public. A folder called `streets` is
    `./streets`. Raises SourceError when there is nothing of that name, and while iterating when it turns out empty or
    unreadable.
    """
    if isinstance(spec, Source):
        return spec
    if not isinstance(spec, (str, os.PathLike)):
        return Given(spec)
    name = os.fspath(spec)
    kind, _, rest = name.partition(":")
    if isinstance(spec, str):
        if kind == "streets":
            return Streets(rest)
        if kind == "parquet" and rest:
            return Parquet(_matching(kind, rest))
        if kind == "hf" and rest:
            from sightline.hubsets import HubSet

            return HubSet.of(rest, offline=offline)
        if kind == "wds" and rest:
            from sightline.archives import Shards

            return Shards(_matching(kind, rest))
        if kind == "urls" and rest:
            from sightline.links import Links

            lists = os.path.abspath(os.path.expanduser(rest))
            if not os.path.isfile(lists):
                raise SourceError(f"urls:{shown(rest)}: there is no such file", hint="give a list, one address a line")
            return Links(lists, offline, allow_private_urls)
        if name.startswith("file://"):
            name = path_of(name)
    path = os.path.abspath(os.path.expanduser(name))
    if name and os.path.isdir(path):
        return Folder(path, _excluded(exclude))
    if name and os.path.lexists(path):
        return File(path)
    if isinstance(spec, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", name):
        raise SourceError(f"{name}: no source of kind '{kind}:' is known", hint=f"use {_KINDS}")
    raise SourceError(f"{shown(name) or 'nothing'}: there is no such file or folder", hint=f"a source is {_KINDS}")


def file_uri(path: str | os.PathLike[str]) -> str:
    """`file://` and the absolute path, its bytes percent-encoded: lossless, also where they are not UTF-8."""
    return "file://" + quote(os.fsencode(os.path.abspath(path)))


def path_of(uri: str) -> str:
    """The path of a `file://` uri, as os.fsdecode gives it. Raises ValueError for any other uri."""
    if not uri.startswith("file://"):
        raise ValueError(f"{uri} is not a file:// uri")
    return os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))


def still_there(uri: str) -> bool:
    """False only when `uri` is a file of this machine that is certainly gone."""
    if not uri.startswith("file://"):
        return True
    try:
        os.lstat(path_of(uri))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


def shown(name: str) -> str:
    """A file name as it can be displayed and stored: bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class FileBytes:
    """Reads one regular file. Raises BadMedia before reading on when the first bytes are no allowed picture."""

    path: str
    follow: bool = False

    def __call__(self) -> bytes:
        return _read(self.path, follow=self.follow, limit=MAX_BYTES, check=True)


@dataclass(frozen=True, slots=True)
class HeldBytes:
    data: bytes = field(repr=False)

    def __call__(self) -> bytes:
        return self.data


@dataclass(frozen=True, slots=True)
class NotRead:
    """Stands for the bytes of an item that is listed although nobody needs them, because it is settled."""

    uri: str

    def __call__(self) -> bytes:
        raise FileNotFoundError(f"{self.uri} was listed without its bytes")


@dataclass(slots=True)
class Given:
    """Any iterable of items, as a source without roots: nothing is ever taken for gone."""

    items: Iterable[Item]
    roots: tuple[str, ...] = ()
    unlisted: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item | Skipped]:
        return _not_empty(iter(self.items), "the given items", "pass at least one Item")


@dataclass(slots=True)
class File:
    """One file that the user named, so a symbolic link is followed. Captions come from beside it."""

    path: str
    roots: tuple[str, ...] = ()
    unlisted: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item | Skipped]:
        parent, name = os.path.split(self.path)
        beside = [n for n in (*CAPTION_FILES, sidecar_name(name)) if _is_plain(os.path.join(parent, n))]
        captions = _captions(parent, beside)
        yield from _problems(parent, captions)
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise SourceError(f"{shown(self.path)}: {error.strerror}", hint="check the path and its rights") from error
        yield _file_item(self.path, name, found, captions, captions, follow=True)
        yield from _problems(parent, captions)


@dataclass(slots=True)
class Folder:
    """A folder and all below it, in the order of names: a folder's files first, then its sub-folders.

    Hidden and AppleDouble files and symbolic links are left out, and so is what `.sightlineignore` files and
    `exclude` name. A sub-folder that cannot be listed, or whose ignore file cannot be understood, is Skipped.
    """

    path: str
    exclude: GitIgnoreSpec
    unlisted: list[str] = field(default_factory=list)

    @property
    def roots(self) -> tuple[str, ...]:
        return (file_uri(self.path).removesuffix("/") + "/",)

    def __iter__(self) -> Iterator[Item | Skipped]:
        hint = "put pictures into it, or look at .sightlineignore and --exclude: hidden files and links are left out"
        return _not_empty(self._walk(), shown(self.path), hint)

    def _walk(self) -> Iterator[Item | Skipped]:
        self.unlisted.clear()
        try:
            root = _Listed.of(self.path, "", (("", self.exclude),))
        except (OSError, ValueError, BadMedia) as error:
            raise SourceError(f"{shown(self.path)} cannot be listed: {say(error)}", hint="check its rights") from error
        of_root = _captions(self.path, root.files)
        yield from _problems(self.path, of_root)
        yield from self._files(root, of_root, of_root)
        stack = [(root, iter(root.folders))]
        while stack:
            above, folders = stack[-1]
            name = next(folders, None)
            if name is None:
                stack.pop()
                continue
            path = os.path.join(above.path, name)
            try:
                listed = _Listed.of(path, f"{above.relative}{name}/", above.ignored)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, BadMedia) as error:
                self.unlisted.append(file_uri(path))
                yield Skipped(file_uri(path), SkipReason.UNREADABLE, f"the folder cannot be listed: {say(error)}")
                continue
            captions = _captions(path, listed.files)
            yield from _problems(path, captions)
            yield from self._files(listed, captions, of_root)
            stack.append((listed, iter(listed.folders)))

    def _files(self, listed: _Listed, captions: Captions, of_root: Captions) -> Iterator[Item | Skipped]:
        stems = {os.path.splitext(name)[0] for name in listed.files if not name.endswith(".txt")}
        for name in listed.files:
            if name in CAPTION_FILES or (name.endswith(".txt") and name[:-4] in stems):
                continue
            path = os.path.join(listed.path, name)
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                continue  # gone since the folder was listed
            except OSError as error:
                yield Skipped(file_uri(path), SkipReason.UNREADABLE, say(error))
                continue
            if not stat.S_ISREG(found.st_mode):
                yield Skipped(file_uri(path), SkipReason.UNREADABLE, "neither a file nor a folder")
            elif not os.access(path, os.R_OK):
                yield Skipped(
                    file_uri(path), SkipReason.UNREADABLE, "no right to read it", found.st_size, found.st_mtime_ns
                )
            else:
                yield _file_item(path, listed.relative + name, found, captions, of_root)
                yield from _problems(listed.path, captions)


@dataclass(slots=True)
class Parquet:
    """Rows of parquet files in the image-caption form of Hugging Face data sets.

    The image column holds bytes, or {bytes, path} of which the path is never followed. A file that cannot be read is
    Skipped; SourceError when there is no row in any of them.
    """

    paths: tuple[str, ...]
    unlisted: list[str] = field(default_factory=list)

    @property
    def roots(self) -> tuple[str, ...]:
        return tuple(_parquet_uri(path) + "#" for path in self.paths)

    def __iter__(self) -> Iterator[Item | Skipped]:
        self.unlisted.clear()
        rows, faults = 0, []
        for path in self.paths:
            try:
                for entry in _parquet_items(path):
                    rows += 1
                    yield entry
            except Exception as error:  # pyarrow raises many kinds; a bad file does not end the others
                faults.append(f"{shown(path)}: {say(error)}")
                self.unlisted.append(_parquet_uri(path))
                yield Skipped(_parquet_uri(path), SkipReason.UNREADABLE, say(error))
        if not rows:
            seen = faults[0] if faults else f"{shown(self.paths[0])}: no rows"
            raise SourceError(seen, hint="expected a parquet file with an image column and, perhaps, a text column")


@dataclass(slots=True)
class Streets:
    """The bundled data set: rendered street scenes with captions; `split` is train, test or empty for both."""

    split: str = ""
    unlisted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.split not in ("", "train", "test"):
            raise SourceError(f"streets has no split '{self.split}'", hint="use streets, streets:train or streets:test")

    @property
    def roots(self) -> tuple[str, ...]:
        return () if self.split else ("streets:",)

    def __iter__(self) -> Iterator[Item | Skipped]:
        for split in [self.split] if self.split else ["train", "test"]:
            bundled = importlib.resources.files("sightline") / "data" / "streets" / f"{split}.parquet"
            if not bundled.is_file():
                raise SourceError(f"the bundled file streets/{split}.parquet is missing", hint="reinstall sightline")
            with importlib.resources.as_file(bundled) as path:
                for _, row in _rows(str(path), ["image", "captions", "entities", "scene", "seed"]):
                    yield _street(row, split)


def _street(row: Mapping[str, Any], split: str) -> Item:
    scene = json.loads(row["scene"])
    tags = [entity["tag"] for entity in json.loads(row["entities"])]
    data = row["image"]["bytes"]
    return Item(
        uri=f"streets:{row['seed']}",
        name=f"streets/{row['seed']}.jpg",
        read=HeldBytes(data),
        text=joined(row["captions"]),
        size=len(data),
        meta={
            "split": split,
            **{name: scene[name] for name in ("setting", "light", "weather")},
            "entities": list(dict.fromkeys(tags)),
        },
        keep="original",
    )


def _not_empty(entries: Iterator[Item | Skipped], what: str, hint: str) -> Iterator[Item | Skipped]:
    first = next(entries, None)
    if first is None:
        raise SourceError(f"{what}: there is nothing in it to list", hint=hint)
    yield first
    yield from entries


def _excluded(patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError(
            f"exclude {list(patterns)}: {error}", hint="patterns are as in .gitignore: '*.png', 'old/'"
        ) from error


def _matching(kind: str, pattern: str) -> tuple[str, ...]:
    pattern = os.path.abspath(os.path.expanduser(pattern))
    found = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern, recursive=True))
    files = tuple(path for path in found if os.path.isfile(path))
    if not files:
        raise SourceError(f"{kind}:{shown(pattern)}: no file matches", hint=f"quote the pattern: '{kind}:data/*'")
    return files


@dataclass(frozen=True, slots=True)
class _Listed:
    """One listed folder: names in the order of their bytes; `ignored` pairs a folder with the patterns kept there."""

    path: str
    relative: str
    ignored: tuple[tuple[str, GitIgnoreSpec], ...]
    files: list[str]
    folders: list[str]

    @classmethod
    def of(cls, path: str, relative: str, ignored: tuple[tuple[str, GitIgnoreSpec], ...]) -> _Listed:
        with os.scandir(path) as entries:
            kinds = {e.name: e.is_dir(follow_symlinks=False) for e in entries if not e.is_symlink()}
        if kinds.get(IGNORE_FILE) is False:
            text = _read(os.path.join(path, IGNORE_FILE), limit=2**20).decode("utf-8-sig", "surrogateescape")
            ignored = (*ignored, (relative, GitIgnoreSpec.from_lines(text.splitlines())))
        files: list[str] = []
        folders: list[str] = []
        for name in sorted(kinds, key=os.fsencode):
            if kinds[name] and name.endswith(LANCE):
                continue
            if not name.startswith(".") and not _is_ignored(relative + name + "/" * kinds[name], ignored):
                (folders if kinds[name] else files).append(name)
        return cls(path, relative, ignored, files, folders)


def _is_ignored(relative: str, ignored: tuple[tuple[str, GitIgnoreSpec], ...]) -> bool:
    """As git does: the last matching pattern of the nearest file decides; `exclude` (the first) is above them all."""
    for place, patterns in (ignored[0], *reversed(ignored[1:])):
        verdict = patterns.check_file(relative[len(place) :]).include
        if verdict is not None:
            return verdict
    return False


def _captions(folder: str, files: Sequence[str]) -> Captions:
    return Captions(files, lambda name, limit: _read(os.path.join(folder, name), limit=limit))


def _problems(folder: str, captions: Captions) -> Iterator[Skipped]:
    """What could not be understood since the last call."""
    while captions.problems:
        name, why = captions.problems.popitem()
        yield Skipped(file_uri(os.path.join(folder, name)), SkipReason.UNREADABLE, why)


def _file_item(
    path: str, relative: str, found: os.stat_result, captions: Captions, of_root: Captions, *, follow: bool = False
) -> Item:
    name = os.path.basename(path)
    notes = captions.find(name) or of_root.find(relative) or of_root.find(name) or Notes()
    return Item(
        uri=file_uri(path),
        name=shown(relative),
        read=FileBytes(path, follow),
        text=joined(notes.captions or captions.sidecar(name)),
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        meta=notes.meta,
    )


_IMAGE_COLUMNS = ("image", "img", "picture", "jpg", "png", "bytes")


def _parquet_uri(path: str) -> str:
    return "parquet:" + quote(os.fsencode(path))


def _parquet_items(path: str) -> Iterator[Item | Skipped]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        columns = Columns.of(file.schema_arrow)
    found, base = os.stat(path), shown(os.path.basename(path))
    for number, row in _rows(path, columns.names):
        uri, name = f"{_parquet_uri(path)}#{number}", f"{base}#{number}"
        yield columns.entry(row, uri, name, mtime_ns=found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table of pictures and captions mean what. `simple` ones become an item's meta."""

    image: str
    texts: tuple[str, ...]
    simple: tuple[str, ...]

    @classmethod
    def of(cls, schema: pa.Schema, *, image: str | None = None, text: str | None = None) -> Columns:
        """As given, else by name and type. Raises SourceError when there is no such column, or no telling which."""
        unknown = [name for name in (image, text) if name is not None and name not in schema.names]
        if unknown:
            raise SourceError(f"there is no column '{unknown[0]}'", hint=f"columns are {', '.join(schema.names[:20])}")
        image = image or _image_column(schema)
        texts = (text,) if text else tuple(name for name in CAPTION_COLUMNS if name in schema.names and name != image)
        taken = (image, *texts, *CAPTION_COLUMNS)
        return cls(image, texts, tuple(f.name for f in schema if f.name not in taken and _is_simple(f.type)))

    @property
    def names(self) -> list[str]:
        return [self.image, *self.texts, *self.simple]

    def text(self, row: Mapping[str, Any]) -> str:
        captions = [row[name] for name in self.texts if row[name]]
        return joined(text for value in captions for text in ([value] if isinstance(value, str) else value))

    def meta(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return small({name: row[name] for name in self.simple})

    def entry(self, row: Mapping[str, Any], uri: str, name: str, *, mtime_ns: int | None) -> Item | Skipped:
        """One row as an item that holds its bytes. A path beside the bytes is never followed."""
        cell = row.get(self.image)
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(data, bytes):
            return Skipped(uri, SkipReason.MISSING, row.get("", "") or "the row holds no image bytes")
        return held(uri, name, data, self.text(row), mtime_ns=mtime_ns, meta=self.meta(row))


def held(
    uri: str, name: str, data: bytes, text: str, *, mtime_ns: int | None, meta: Mapping[str, Any]
) -> Item | Skipped:
    """An item of a data set: it holds its bytes, and they are kept as they are."""
    if not 0 < len(data) <= MAX_BYTES:
        reason = SkipReason.TOO_LARGE if data else SkipReason.EMPTY
        return Skipped(uri, reason, f"{len(data):,} bytes", len(data))
    return Item(uri, name, HeldBytes(data), text, size=len(data), mtime_ns=mtime_ns, meta=meta, keep="original")


def _rows(path: str, columns: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(row number, values) in small batches; a value that cannot be had makes its row empty but for "": why."""
    import pyarrow.parquet as pq

    number = 0
    with pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=16, columns=columns):
            for values in rows_of(batch, columns):
                yield number, values
                number += 1


def rows_of(batch: pa.RecordBatch | pa.Table, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The rows one by one; a value that cannot be had makes its row empty but for "": why."""
    for row in range(batch.num_rows):
        try:
            yield {name: batch.column(name)[row].as_py() for name in columns}
        except (ValueError, OverflowError) as error:
            yield {"": say(error)}


def _image_column(schema: pa.Schema) -> str:
    fits = [f.name for f in schema if _holds_bytes(f.type)]
    named = [name for name in _IMAGE_COLUMNS if name in fits] or fits
    if (len(named) > 1 and named[0] not in _IMAGE_COLUMNS) or not named:
        raise SourceError(
            f"columns {schema.names[:20]}: {len(fits)} may be the image, expected one of bytes or {{bytes, path}}"
        )
    return str(named[0])


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_simple(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_string, types.is_large_string)
    return any(test(kind) for test in tests)


def _read(path: str, *, limit: int, follow: bool = False, check: bool = False) -> bytes:
    """A whole regular file. O_NONBLOCK: what became a pipe since it was listed must not hang the run."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with open(os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0))), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise BadMedia(SkipReason.UNREADABLE, "not a regular file")
        head = file.read(signatures.HEAD)
        if check:
            signatures.check_head(head)
        data = head + file.read(limit + 1 - len(head)) if found.st_size <= limit else b""
    if found.st_size > limit or len(data) > limit:
        raise BadMedia(SkipReason.TOO_LARGE, f"{found.st_size:,} bytes, more than {limit:,}")
    return data


def _is_plain(path: str) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def say(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {text}".replace("\n", " ").encode("utf-8", "replace").decode()[:200]
