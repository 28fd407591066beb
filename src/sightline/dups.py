"""near_duplicates(): the groups of pictures in a whole collection that show the same, and which of each to keep.

Reads what was stored and writes nothing: neither rows nor files are ever deleted here. What counts as the same is said
in `groups.py`; the one to keep is the largest, then the oldest.

    sightline dups -c data/tables#family
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sightline.groups import Portrait, groups_of
from sightline.looks import look
from sightline.schema import Modality
from sightline.store import Store

COLUMNS = ("id", "uri", "name", "version", "modality", "width", "height", "size", "captured_at", "added_at")


@dataclass(frozen=True, slots=True)
class Member:
    """One picture of a group. `width` and `height` are the original's, `size` its bytes where the source said it."""

    id: str
    uri: str
    name: str
    version: str
    width: int
    height: int
    size: int | None
    captured_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        taken = self.captured_at.isoformat() if self.captured_at else None
        return {**{name: getattr(self, name) for name in self.__slots__}, "captured_at": taken}


@dataclass(frozen=True, slots=True)
class Group:
    """Near-duplicates of its first member, the one to keep."""

    members: tuple[Member, ...]

    @property
    def id(self) -> str:
        """The least of the members' ids."""
        return min(member.id for member in self.members)

    @property
    def keep(self) -> Member:
        return self.members[0]

    @property
    def others(self) -> tuple[Member, ...]:
        return self.members[1:]

    def verdict(self, member: Member) -> str:
        """`keep`, `same` for one with the very bytes of that, else `alike`."""
        if member is self.keep:
            return "keep"
        return "same" if member.version == self.keep.version else "alike"


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The groups of two or more among `rows` pictures, the largest first."""

    address: str
    rows: int
    groups: tuple[Group, ...]

    def to_json(self) -> dict[str, Any]:
        groups = [
            {
                "group": group.id,
                "keep": group.keep.id,
                "members": [{**one.to_json(), "verdict": group.verdict(one)} for one in group.members],
            }
            for group in self.groups
        ]
        return {"address": self.address, "rows": self.rows, "groups": groups}


def near_duplicates(store: Store) -> Duplicates:
    """The near-duplicates in a collection. Raises CollectionMissing, ForeignTable, CollectionDamaged."""
    rows, portraits = _read(store)
    order = sorted(range(len(rows)), key=lambda at: _rank(rows[at]))
    stars = groups_of([portraits[at] for at in order])
    groups = [Group(tuple(_member(rows[order[at]]) for at in star)) for star in stars]
    groups.sort(key=lambda group: (-len(group.members), group.keep.uri))
    return Duplicates(str(store.address), len(rows), tuple(groups))


def _read(store: Store) -> tuple[list[dict[str, Any]], list[Portrait]]:
    """Every row without its look, and its portrait. In a collection older than looks they are made of thumbnails."""
    store.manifest  # noqa: B018  # missing and foreign tables are told apart before they are read
    there = store.had(("camera", "look"))
    columns = [*COLUMNS, *there, *([] if "look" in there else ["thumbnail"])]
    rows: list[dict[str, Any]] = []
    portraits: list[Portrait] = []
    for chunk in store.rows.stream(lambda t: t.search().select(columns).to_batches(batch_size=4096)):
        for row in chunk.to_pylist():
            small = row.pop("thumbnail", None)
            seen = look(small) if small else row.pop("look", None) or b""
            version = row["version"] if row["modality"] == Modality.IMAGE else ""
            portraits.append(Portrait(version or "", seen, row.pop("camera", None) or "", row["captured_at"]))
            rows.append(row)
    return rows, portraits


def _rank(row: dict[str, Any]) -> tuple[Any, ...]:
    """What to keep comes first: most pixels, taken first, most bytes, added first.

    Bytes come after the date: what is saved again at a high quality has more of them, and no more of the picture.
    """
    never = datetime.max.replace(tzinfo=UTC)
    pixels = (row["width"] or 0) * (row["height"] or 0)
    return -pixels, row["captured_at"] or never, -(row["size"] or 0), row["added_at"] or never, row["uri"]


def _member(row: dict[str, Any]) -> Member:
    known = {name: row[name] for name in Member.__slots__}
    return Member(
        **{**known, "name": row["name"] or row["uri"], "width": row["width"] or 0, "height": row["height"] or 0}
    )
