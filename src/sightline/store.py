"""Store: one collection as LanceDB tables. Rows go in by id, come out by vector, by words or by id.

Three tables share one name: `items` (the rows, what plain LanceDB opens), `items.pictures` (stored pictures by content
hash, so that a renamed or copied item costs nothing; why: docs/decisions/0001-picture-bytes.md) and `items.skipped`
(what could not be used, so that it is not tried again). Every write holds the collection's writer lock, starts from
the newest version and is on the disk when the call returns. Knows nothing of encoders, sources or queries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.ann import ABOVE, TARGET, VectorIndex
from sightline.conditions import columns_of, condition
from sightline.durability import DurableTable, WriterLock, first_line
from sightline.errors import (
    CollectionMissing,
    EncoderMismatch,
    ForeignTable,
    QueryError,
    UsageError,
)
from sightline.fragments import version_number
from sightline.mirror import MOST_ROWS, Mirror
from sightline.postings import speaks
from sightline.rows import (
    HIT,
    ITEM,
    KNOWN,
    LATER,
    Found,
    Known,
    check_vectors,
    found_of,
    has_semicolon,
    is_in,
    item_of,
    known_of,
    matrix,
    pictures_schema,
    place_of,
    starts_with,
    stored_item_of,
    table_of,
    unique,
)
from sightline.schema import (
    METADATA_KEY,
    Encoded,
    Filter,
    Manifest,
    Skipped,
    SkipReason,
    StoredItem,
    Thumbnail,
    Vectors,
    arrow_schema,
    version_of,
)
from sightline.snapshot import Damaged, Sample, Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a collection lives: a LanceDB folder and a table in it, written `URI[#table]`."""

    folder: Path
    table: str = "items"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises UsageError for an object store (not built yet) and for a table name that LanceDB refuses."""
        uri, _, table = text.partition("#")
        if "://" in uri:
            raise UsageError(
                f"collection '{text}' is on an object store, and this version keeps collections on local disks only",
                hint="give a folder, e.g. data/tables#items",
            )
        table = table or "items"
        if not uri or not all(c.isalnum() or c in "_-" for c in table) or not table.isascii():
            raise UsageError(
                f"'{text}' is not a collection address",
                hint="write FOLDER or FOLDER#table; a table name has letters, digits, _ and -",
            )
        return cls(Path(uri), table)

    def __str__(self) -> str:
        return f"{self.folder}#{self.table}"


class Store:
    """The tables of one collection."""

    def __init__(
        self,
        address: Address,
        *,
        lock_seconds: float = 120.0,
        refresh_seconds: float = 2.0,
        history_days: float = 7.0,
        snapshot_rows: int = MOST_ROWS,
        index_rows: int = ABOVE,
        recall: float = TARGET,
    ) -> None:
        self.address = address
        lock = WriterLock(address.folder / ".sightline" / f"{address.table}.lock", seconds=lock_seconds)

        def table(suffix: str) -> DurableTable:
            return DurableTable(address.folder, address.table + suffix, lock, refresh_seconds=refresh_seconds)

        self.rows, self.pictures, self.skips = table(""), table(".pictures"), table(".skipped")
        self.lock = lock
        side = address.folder / ".sightline"
        self.mirror = Mirror(side / f"{address.table}.snapshot", self.rows, most_rows=snapshot_rows)
        plan = side / f"{address.table}.index"
        self.vector_index = VectorIndex(plan, self.mirror.folder, self.rows, above=index_rows, target=recall)
        self.keep_history = timedelta(days=history_days)
        self._manifest: Manifest | None = None

    @property
    def exists(self) -> bool:
        return self.rows.exists

    @property
    def notices(self) -> list[str]:
        """What opening had to mend, one line each."""
        return [*self.rows.notices, *self.pictures.notices, *self.skips.notices]

    @property
    def version(self) -> int:
        """Number of the newest version of the rows. Raises CollectionMissing."""
        return self.stamp()[0]

    def stamp(self) -> tuple[int, int]:
        """Number and time (ns) of the newest version: it tells a table from one that was made anew in its place.

        Raises CollectionMissing.
        """
        self.manifest  # noqa: B018  # missing and damaged tables are told apart before they are looked at

        def in_table() -> tuple[int, int]:
            head = self.rows.head()
            return version_number(head), os.stat(head).st_mtime_ns

        # after a large ingest a folder of thousands of manifests is slow to list
        return self._quickly(lambda now: (now.state.version, now.state.head.mtime_ns), in_table)

    @property
    def manifest(self) -> Manifest:
        """The collection's own account of its encoder. Raises CollectionMissing, ForeignTable or CollectionDamaged."""
        if self._manifest is None:
            if not self.exists:
                raise CollectionMissing(
                    f"there is no collection '{self.address}'",
                    hint=f"make it with: sightline index FOLDER -c {self.address}",
                )
            snapshot = self.mirror.current()
            self._manifest = snapshot.state.manifest if snapshot else self._read_manifest()
        return self._manifest

    def create(self, manifest: Manifest) -> None:
        """Make the rows' table, or open it when another process was quicker."""
        self.rows.create(arrow_schema(manifest))
        self._manifest = self._read_manifest()

    def warm(self) -> None:
        """Open what reading needs. Raises CollectionMissing."""

        def opened(now: Snapshot) -> None:
            self.vector_index.cells(now)

        self._quickly(opened, lambda: None)
        self._read_rows(lambda table: None)

    # -- reading ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._quickly(len, lambda: int(self._read_rows(lambda t: t.count_rows())))

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        """What is stored of these ids, by id."""
        found = self._of_ids(ids, KNOWN, self.mirror.at_hand).to_pylist() if ids else []
        return {row["id"]: known_of(row) for row in found}

    def by_version(self, versions: Sequence[str]) -> dict[str, list[Known]]:
        """Rows whose content hash is one of `versions`, by version: twins and former places of the same bytes."""
        twins: dict[str, list[Known]] = {}
        for row in self._known_where(is_in("version", versions)) if versions else ():
            twins.setdefault(row.version, []).append(row)
        return twins

    def encodings(self, ids: Sequence[str]) -> dict[str, Encoded]:
        """Whole rows without their pictures, by id, to be written again under another item."""
        if not ids:
            return {}
        columns = [*self.had(ITEM), "vector"]
        table = self._read_rows(lambda t: t.search().where(is_in("id", ids)).select(columns).to_arrow())
        vectors = matrix(table["vector"], self.manifest.dim)
        return {
            row["id"]: Encoded(
                item=item_of(row),
                version=row["version"],
                size=row["size"] or 0,
                vector=vectors[i],
                thumbnail=row["thumbnail"] or b"",
                picture=None,
                width=row["width"] or 0,
                height=row["height"] or 0,
                captured_at=row["captured_at"],
                camera=row.get("camera") or "",
                place=place_of(row),
                ocr=row["ocr"],
                ocr_boxes=row["ocr_boxes"],
            )
            for i, row in enumerate(table.drop_columns(["vector"]).to_pylist())
        }

    def get(self, ident: str) -> StoredItem | None:
        """One item by id or uri, without its vector."""
        columns = self.had(ITEM)
        rows = self._of_ids([ident], columns).to_pylist()
        if not rows:
            uri = is_in("uri", [ident])
            rows = self._read_rows(lambda t: t.search().where(uri).select(columns).limit(1).to_arrow()).to_pylist()
        return stored_item_of(rows[0]) if rows else None

    def items(self, ids: Sequence[str]) -> dict[str, StoredItem]:
        """Those of these ids that there are, by id, without their vectors."""
        rows = self._of_ids(ids, self.had(ITEM)).to_pylist() if ids else []
        return {row["id"]: stored_item_of(row) for row in rows}

    def sample(self, n: int, rng: np.random.Generator) -> list[Found]:
        """At most `n` different rows at random."""
        rows = len(self)
        offsets = rng.choice(rows, size=min(n, rows), replace=False) if rows else np.empty(0, int)
        columns = self.had(HIT)
        table = self._read_rows(lambda t: t.take_offsets([int(o) for o in offsets]).select(columns).to_arrow())
        return [found_of(row, score=0.0) for row in table.to_pylist()]

    def ids(self, *, under: str = "", batch: int = 4096) -> Iterator[list[tuple[str, str]]]:
        """(id, uri) of every row whose uri starts with `under`, in batches."""
        where = starts_with("uri", under) if under else None

        def reader(table: Any) -> Any:
            query = table.search().select(["id", "uri"])
            return (query.where(where) if where else query).to_batches(batch_size=batch)

        self.manifest  # noqa: B018  # missing and foreign tables are told apart before they are read
        for chunk in self.rows.stream(reader):
            yield list(zip(chunk["id"].to_pylist(), chunk["uri"].to_pylist(), strict=True))

    def had(self, columns: Sequence[str]) -> list[str]:
        """Those of `columns` that the table has: a collection of a former version lacks some."""
        there = self._quickly(lambda now: now.state.columns, lambda: self._read_rows(lambda t: t.schema.names))
        return [name for name in columns if name not in LATER or name in there]

    def digest(self, ident: str) -> str | None:
        """The digest of an id's vector, of the day when it was written."""
        table = self._of_ids([ident], ["vector_digest"])
        return table["vector_digest"][0].as_py() if len(table) else None

    def count_under(self, prefix: str) -> int:
        return int(self._read_rows(lambda t: t.count_rows(starts_with("uri", prefix).to_sql())))

    def count(self, *, where: str | None = None, filters: Sequence[Filter] = ()) -> int:
        """How many rows pass. Raises QueryError for a bad where-clause."""
        both = self._passing(where, filters)

        def in_table() -> int:
            return self._refusing(where, lambda t: int(t.count_rows(both) if both else t.count_rows()))

        return in_table() if where else self._quickly(lambda now: int(now.passing(filters).sum()), in_table)

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        where: str | None = None,
        filters: Sequence[Filter] = (),
        exact: bool = False,
        sure: int = 10,
    ) -> list[Found]:
        """The `k` rows nearest to `vector` (dim,) by cosine, best first; `score` = 1 - distance.

        Where there is an index over the vectors its recall is kept for the first `sure`; `exact` goes past it. Raises
        BadVectors for a vector of another dimension, not finite or zero; QueryError for a bad where-clause.
        """
        checked = check_vectors(np.asarray(vector, np.float32)[None, :], self.manifest.dim)[0]
        self._check_had(filters)

        def quick(now: Snapshot) -> list[Found]:
            near = None if exact else self.vector_index.nearest(now, checked, k, filters, sure=sure)
            return now.search(checked, k, filters) if near is None else now.hits(*near)

        def in_table() -> list[Found]:
            index = self.vector_index
            filtered = bool(where or filters) and index.plan is not None
            few = filtered and index.are_few(self.count(where=where, filters=filters), len(self))

            def query(table: Any) -> Any:
                built = table.search(checked, vector_column_name="vector").distance_type("cosine")
                all_ = exact or few
                return built.bypass_vector_index() if all_ else index.asked(built, k, filtered=filtered, sure=sure)

            found = self._filtered(query, where, filters, [*self.had(HIT), "_distance"], k)
            rows = [(row, 1.0 - row["_distance"]) for row in found.to_pylist()]
            return [found_of(row, score=cosine, cosine=cosine) for row, cosine in rows]

        return in_table() if where else self._quickly(quick, in_table)

    def search_text(
        self,
        words: str,
        k: int,
        *,
        column: str = "text",
        vector: NDArray[np.float32] | None = None,
        where: str | None = None,
        filters: Sequence[Filter] = (),
    ) -> list[Found]:
        """The `k` rows whose captions match `words` best (BM25), best first; `cosine` to `vector` where it is given.

        `column` `ocr`: the text that was read in the pictures, instead; nothing where none was read. `name`: the words
        of its file and folders. A column without an index, as in collections of former versions, has nothing to say.
        """
        if not any(c.isalnum() for c in words):
            return []
        self._check_had(filters)

        def in_table() -> list[Found]:
            from lancedb.query import MatchQuery

            if column != "text" and column not in self.full_text():
                return []
            shown = [*self.had(HIT), "_score"]
            columns = [*shown, *(["vector"] if vector is not None else [])]
            matches = MatchQuery(words, column)
            table = self._filtered(lambda t: t.search(matches, query_type="fts"), where, filters, columns, k)
            cosines = matrix(table["vector"], self.manifest.dim) @ vector if vector is not None else [None] * len(table)
            rows = table.select(shown).to_pylist()
            return [
                found_of(row, score=row["_score"], cosine=None if cosine is None else float(cosine))
                for row, cosine in zip(rows, cosines, strict=True)
            ]

        if where or not speaks(words):
            return in_table()
        return self._quickly(
            lambda now: now.search_text(words, k, column=column, vector=vector, filters=filters), in_table
        )

    def newest(self, k: int, *, where: str | None = None, filters: Sequence[Filter] = ()) -> list[Found]:
        """At most `k` rows that pass, those taken last first, those without a date at the end. Looks at every row."""
        self._check_had(filters)
        if where:
            return self._newest_in_table(k, where, filters)
        return self._quickly(lambda now: now.newest(k, filters), lambda: self._newest_in_table(k, None, filters))

    def _newest_in_table(self, k: int, where: str | None, filters: Sequence[Filter]) -> list[Found]:
        dated = self._filtered(lambda t: t.search(), where, filters, ["id", "captured_at"], None)
        rows = sorted(dated.to_pylist(), key=lambda row: row["id"])
        rows.sort(key=lambda row: row["captured_at"].timestamp() if row["captured_at"] else -np.inf, reverse=True)
        found = self.found([row["id"] for row in rows[:k]])
        return [found[row["id"]] for row in rows[:k] if row["id"] in found]

    def found(self, ids: Sequence[str]) -> dict[str, Found]:
        """The rows of these ids, by id, with a score of 0."""
        return self._quickly(lambda now: now.found(ids), lambda: self._found_in_table(ids)) if ids else {}

    def _found_in_table(self, ids: Sequence[str]) -> dict[str, Found]:
        columns = self.had(HIT)
        table = self._read_rows(lambda t: t.search().where(is_in("id", ids)).select(columns).to_arrow())
        return {row["id"]: found_of(row, score=0.0) for row in table.to_pylist()}

    def vector(self, ident: str) -> NDArray[np.float32] | None:
        """The vector (dim,) of one id."""
        [found] = self.vectors([ident])
        return found if np.isfinite(found).all() else None

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors (n, dim) of these ids, in their order; NaN for one that is not there."""
        return self._quickly(lambda now: now.vectors(ids), lambda: self._vectors_in_table(ids))

    def _vectors_in_table(self, ids: Sequence[str]) -> Vectors:
        table = self._read_rows(lambda t: t.search().where(is_in("id", ids)).select(["id", "vector"]).to_arrow())
        stored = dict(zip(table["id"].to_pylist(), matrix(table["vector"], self.manifest.dim), strict=True))
        missing = np.full(self.manifest.dim, np.nan, np.float32)
        return np.stack([stored.get(ident, missing) for ident in ids])

    def drawn(self, most: int) -> Sample:
        """The rows with the `most` least ids, which are hashes: a random sample, and mostly the same after a change."""
        return self._quickly(lambda now: now.drawn(most), lambda: self._drawn_in_table(most))

    def _drawn_in_table(self, most: int) -> Sample:
        ids = self._read_rows(lambda t: t.search().select(["id"]).to_arrow())["id"].to_pylist()
        least = sorted(ids)[:most]
        if not least:
            return Sample(np.empty((0, self.manifest.dim), np.float32), (), (), ())
        columns, where = ["id", "text", "ocr", "vector"], is_in("id", least)
        table = self._read_rows(lambda t: t.search().where(where).select(columns).to_arrow()).sort_by("id")
        texts, seen = (tuple(text or "" for text in table[name].to_pylist()) for name in ("text", "ocr"))
        return Sample(matrix(table["vector"], self.manifest.dim), texts, seen, tuple(table["id"].to_pylist()))

    def thumbnails(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The small pictures of these ids, by id."""
        return {ident: one.data for ident, one in self.versioned_thumbnails(ids).items()}

    def versioned_thumbnails(self, ids: Sequence[str]) -> dict[str, Thumbnail]:
        """The same, each with the version of its picture."""
        table = self._of_ids(ids, ["id", "thumbnail", "version"])
        return {row["id"]: Thumbnail(row["thumbnail"] or b"", row["version"]) for row in table.to_pylist()}

    def picture(self, version: str) -> bytes | None:
        """The stored picture with this content hash, or None."""
        from lancedb.expr import col, lit

        if not self.pictures.exists:
            return None
        where = col("version") == lit(version)
        rows = self.pictures.read(lambda t: t.search().where(where).select(["picture"]).limit(1).to_arrow())
        return (rows["picture"][0].as_py() or None) if len(rows) else None

    def skipped(self, uris: Sequence[str]) -> dict[str, Skipped]:
        """What is remembered as unusable among these uris."""
        if not uris or not self.skips.exists:
            return {}
        rows = self.skips.read(lambda t: t.search().where(is_in("uri", uris)).to_arrow()).to_pylist()
        return {row["uri"]: Skipped(**{**row, "reason": SkipReason(row["reason"])}) for row in rows}

    # -- writing ------------------------------------------------------------------------------------------------

    def upsert(
        self, rows: Sequence[Encoded], *, added: Sequence[datetime | None] = (), gone: Sequence[str] = ()
    ) -> None:
        """Write rows by id in one commit: pictures first, then the rows, with the ids in `gone` removed.

        `added` keeps a row's first date (None: now). Raises BadVectors before anything is written.
        """
        if not rows:
            return
        check_vectors(np.stack([row.vector for row in rows]), self.manifest.dim)
        now = datetime.now(UTC)
        dates = [date or now for date in added] or [now] * len(rows)
        data = table_of(rows, dates, self.rows.table.schema)

        def merge(table: Any) -> Any:
            self._check_still_ours(table)
            merging = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            if gone:
                merging = merging.when_not_matched_by_source_delete(is_in("id", gone).to_sql())
            return merging.execute(data)

        with self.lock.held():
            self.put_pictures(rows)
            self.rows.write(merge, operation="index")

    def put_pictures(self, rows: Sequence[Encoded]) -> None:
        """Store what `rows` bring along. Empty bytes say that none is wanted, and never replace a picture."""
        pictures = {row.version: row.picture for row in rows if row.picture is not None}
        if not pictures:
            return
        self.pictures.create(pictures_schema())
        none = [version for version, picture in pictures.items() if not picture]
        if none:
            data = self._picture_rows(dict.fromkeys(none, b""))
            self.pictures.write(lambda t: t.merge_insert("version").when_not_matched_insert_all().execute(data))
        if some := {version: picture for version, picture in pictures.items() if picture}:
            self.pictures.merge("version", self._picture_rows(some))

    def amend(self, rows: Sequence[Known]) -> None:
        """Write caption, size, mtime and meta of rows that are there already; vectors and pictures stay."""
        if not rows:
            return
        import pyarrow as pa

        schema = pa.schema([self.rows.table.schema.field(name) for name in ("id", "size", "mtime_ns", "text", "meta")])
        data = pa.table({name: [getattr(row, name) for row in rows] for name in schema.names}, schema=schema)
        merge = lambda t: t.merge_insert("id").when_matched_update_all().execute(data)  # noqa: E731
        self.rows.write(merge, operation="index")

    def remove(self, ids: Sequence[str]) -> int:
        """Delete rows by id; returns how many went. Their pictures go when no version of the history needs them."""
        if not ids:
            return 0
        return int(self.rows.write(lambda t: t.delete(is_in("id", ids)), operation="remove").num_deleted_rows)

    def remember_skipped(self, skipped: Sequence[Skipped]) -> None:
        """Remember what could not be used (a later entry for the same uri replaces the earlier)."""
        if not skipped:
            return
        import pyarrow as pa

        latest = {s.uri: s for s in skipped}
        schema = pa.schema(
            [
                unique("uri"),
                pa.field("reason", pa.string()),
                pa.field("detail", pa.string()),
                pa.field("size", pa.int64()),
                pa.field("mtime_ns", pa.int64()),
            ]
        )
        columns = {n: [getattr(s, n) for s in latest.values()] for n in schema.names}
        columns["reason"] = [s.reason.value for s in latest.values()]
        self.skips.create(schema)
        self.skips.merge("uri", pa.table(columns, schema=schema))

    def forget_skipped(self, uris: Sequence[str]) -> None:
        if uris and self.skips.exists:
            self.skips.write(lambda t: t.delete(is_in("uri", uris)))

    def replace_rows(
        self, manifest: Manifest, batches: Iterator[Sequence[Encoded]], added: Mapping[str, datetime]
    ) -> None:
        """Write all rows anew under another manifest, in one atomic version; the old one stays in the history.

        `added` gives each id's first date.
        """
        import pyarrow as pa

        schema = arrow_schema(manifest)

        def record_batches() -> Iterator[pa.RecordBatch]:
            for rows in batches:
                check_vectors(np.stack([row.vector for row in rows]), manifest.dim)
                now = datetime.now(UTC)
                dates = [added.get(row.item.id, now) for row in rows]
                yield from table_of(rows, dates, schema).to_batches()

        self.rows.overwrite(pa.RecordBatchReader.from_batches(schema, record_batches()), operation="rebuild")
        self.reopened()

    def reopened(self) -> None:
        """Read the manifest again: a rebuild or restore may have brought another encoder."""
        self._manifest = self._read_manifest()

    def disk_bytes(self) -> int:
        return sum(part.disk_bytes() for part in (self.rows, self.pictures, self.skips, self.mirror))

    def drop(self) -> None:
        """Delete the collection with its side tables. Sources are never touched."""
        with self.lock.held():
            for table in (self.rows, self.pictures, self.skips):
                table.drop()
            side = self.address.folder / ".sightline"
            for kept in ("background.npz", "map.npz"):
                (side / f"{self.address.table}.{kept}").unlink(missing_ok=True)
            self.vector_index.forget()
            self.mirror.drop()
            self._manifest = None

    # -- inside -------------------------------------------------------------------------------------------------

    def _quickly(
        self,
        quick: Callable[[Snapshot], T],
        in_table: Callable[[], T],
        snapshot_of: Callable[[], Snapshot | None] | None = None,
    ) -> T:
        """What the snapshot says, where there is one of the newest version and our encoder; else what LanceDB says.

        `snapshot_of` None: a little work may bring it up.
        """
        manifest, snapshot = self.manifest, (snapshot_of or self.mirror.current)()
        if snapshot is not None and snapshot.state.manifest == manifest:
            try:
                return quick(snapshot)
            except Damaged:
                self.mirror.spoiled()
        return in_table()

    def _of_ids(
        self, ids: Sequence[str], columns: Sequence[str], snapshot_of: Callable[[], Snapshot | None] | None = None
    ) -> pa.Table:
        """These columns of the rows with these ids, in any order. An id has to be scanned for, an address is taken."""

        def scanned() -> pa.Table:
            return self._read_rows(lambda t: t.search().where(is_in("id", ids)).select(list(columns)).to_arrow())

        def taken(now: Snapshot) -> pa.Table:
            addresses = now.addresses_of(ids)
            with suppress(
                RuntimeError, ValueError, OSError
            ):  # cleaned away by another process, or damaged: the scan tells
                table = self.rows.at(now.state.version, now.state.head.mtime_ns)
                found = table.take_row_ids(addresses).select([*{"id": 0, **dict.fromkeys(columns)}]).to_arrow()
                if len(found) == len(addresses) and {*found["id"].to_pylist()} <= {*ids}:
                    return found
            return scanned()

        return self._quickly(taken, scanned, snapshot_of)

    def full_text(self) -> frozenset[str]:
        """The columns that have a full-text index."""
        return frozenset(index.columns[0] for index in self._read_rows(lambda t: t.list_indices()))

    def _read_rows(self, work: Callable[[Any], T]) -> T:
        self.manifest  # noqa: B018  # missing and foreign tables are told apart before they are read
        return self.rows.read(work)

    def _check_still_ours(self, table: Any) -> None:
        """A rebuild in another process may have changed the encoder since this one opened the collection."""
        now, mine = self._manifest_in(table), self.manifest
        if now.fingerprint != mine.fingerprint:
            self._manifest = now
            raise EncoderMismatch(
                f"collection '{self.address}' was rebuilt with {now.encoder} ({now.dim}-d) while {mine.encoder} "
                f"({mine.dim}-d) was writing to it",
                hint="run the same command again without --model; what was committed before is safe",
            )

    def _picture_rows(self, pictures: Mapping[str, bytes]) -> pa.Table:
        import pyarrow as pa

        columns = {
            "version": list(pictures),
            "picture": list(pictures.values()),
            "digest": [version_of(picture) for picture in pictures.values()],
        }
        schema = pa.schema([field for field in pictures_schema() if field.name in self.pictures.table.schema.names])
        return pa.table({name: columns[name] for name in schema.names}, schema=schema)

    def _known_where(self, where: Any) -> list[Known]:
        rows = self._read_rows(lambda t: t.search().where(where).select(list(KNOWN)).to_arrow()).to_pylist()
        return [known_of(row) for row in rows]

    def _check_had(self, filters: Sequence[Filter]) -> None:
        needed = columns_of(filters)
        if needed and len(self.had(sorted(needed))) < len(needed):
            raise QueryError(
                f"'{self.address}' was made before cameras and places were kept, so it cannot be filtered by them",
                hint=f"index the pictures into a new collection: sightline index FOLDER -c {self.address.folder}#new",
            )

    def _filtered(
        self,
        query: Callable[[Any], Any],
        where: str | None,
        filters: Sequence[Filter],
        columns: list[str],
        k: int | None,
    ) -> pa.Table:
        """The rows of a query for which both hold: `where`, the owner's SQL, and `filters`, which may be anybody's."""
        both = self._passing(where, filters)

        def run(table: Any) -> pa.Table:
            built = query(table)
            built = (built.where(both) if both else built).select(columns)
            return (built if k is None else built.limit(k)).to_arrow()

        return self._refusing(where, run)

    def _passing(self, where: str | None, filters: Sequence[Filter]) -> str:
        """One condition of both, empty for none."""
        if where and has_semicolon(where):
            raise QueryError(
                f"the where-clause '{where}' holds a semicolon, and LanceDB drops what follows one",
                hint="write one condition; join several with AND and OR",
            )
        self._check_had(filters)
        ours = condition(filters)
        # the line's end keeps a comment in `where` from swallowing what follows
        return f"({where}\n) AND ({ours})" if where and ours else where or ours

    def _refusing(self, where: str | None, run: Callable[[Any], T]) -> T:
        """Reads the rows; what LanceDB has against `where` is said as such."""
        try:
            return self._read_rows(run)
        except (RuntimeError, ValueError) as error:
            if not where:
                raise
            raise QueryError(
                f"the where-clause '{where}' cannot be used: {first_line(error).removeprefix('Invalid input, ')}",
                hint="it is SQL over the columns, e.g. --where \"width > 1000 AND text LIKE '%bus%'\"",
            ) from None

    def _read_manifest(self) -> Manifest:
        return self._manifest_in(self.rows.table)

    def _manifest_in(self, table: Any) -> Manifest:
        raw = (table.schema.metadata or {}).get(METADATA_KEY.encode())
        try:
            return Manifest.loads(raw or b"")
        except (ValueError, KeyError, TypeError):
            raise ForeignTable(
                f"the table '{self.address.table}' in {self.address.folder} was not made by Sightline",
                hint=f"choose another table name, e.g. -c {self.address.folder}#photos",
            ) from None


def list_collections(folder: Path) -> list[Address]:
    """The collections in a LanceDB folder, by name; side tables are not listed."""
    names = sorted(path.name.removesuffix(".lance") for path in folder.glob("*.lance") if path.is_dir())
    return [Address(folder, name) for name in names if "." not in name]
