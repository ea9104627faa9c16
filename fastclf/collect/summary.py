"""What a collection brought: a table of words, a CSV file of every address, a contact sheet a class."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..catalog import DUPLICATE, REFUSED, STORED, WAITING, Catalog
from ..photos import Photo, decode_photo, encode_png, make_thumbnail
from ..system import ShortRepr, hash_bytes, write_atomic

# A contact sheet shows this many photos at most, in so many columns of tiles of so many pixels: what a screen
# of 1,200 pixels shows at once.
_TILE, _COLUMNS, _MOST = 112, 10, 100
# The reasons that are listed; the others are counted.
_REASONS = 6


@dataclass(frozen=True)
class ClassCount:
    """The numbers of one class, and how often which refusal came."""

    found: int  # addresses, or files of an archive or a folder
    photos: int  # that the class has now, a person's own included
    stored: int
    duplicate: int
    refused: int
    waiting: int  # was not needed
    gone: int  # was stored once and is no longer in the folder
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, repr=False)
class CollectSummary(ShortRepr):
    """What a collection brought.

    Attributes
    ----------
    folder
        Where the class folders are.
    classes
        The numbers by class; "" is what has no class.
    new
        How many photos this run stored.
    seconds
        How long it took.
    notes
        Sentences for the person.
    table
        The CSV file with a row for every address.
    sheets
        The contact sheets by class.
    """

    folder: Path
    classes: dict[str, ClassCount]
    new: int
    seconds: float
    notes: tuple[str, ...] = ()
    table: Path | None = None
    sheets: dict[str, Path] = field(default_factory=dict)

    @property
    def photos(self) -> int:
        """How many photos the folder has now."""
        return sum(count.photos for count in self.classes.values())

    def to_text(self) -> str:
        """Return the table for people."""
        names = [label or "(no class)" for label in self.classes]
        width = max(map(len, ["all", "class", *names]))
        heads = ["photos", "found", "stored", "doubled", "refused", "not needed"]
        rows = [
            [c.photos, c.found, c.stored, c.duplicate, c.refused, c.waiting] for c in self.classes.values()
        ]
        if not rows:
            return "\n".join(["No photos were found.", *self.notes])
        if not any(c.found for c in self.classes.values()):  # nothing was fetched: the built-in sample
            heads, rows = heads[:1], [row[:1] for row in rows]
        lines = ["  ".join([f"{'class':<{width}}", *heads])]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        for name, row in [*zip(names, rows, strict=True), ("all", sums)]:
            cells = [f"{value:>{len(head)},}" for value, head in zip(row, heads, strict=True)]
            lines.append("  ".join([f"{name:<{width}}", *cells]))
        lines += [*self._reason_lines(), *self.notes]
        if self.table:
            lines.append(f"Every address and what became of it: {self.table}")
        if self.sheets:
            folder = next(iter(self.sheets.values())).parent
            lines.append(f"{len(self.sheets)} contact sheets, one a class: {folder}")
        return "\n".join(lines)

    def _reason_lines(self) -> list[str]:
        reasons: Counter[str] = Counter()
        for count in self.classes.values():
            reasons += count.reasons
        lines = [f"  {n:>5,}  {reason}" for reason, n in reasons.most_common(_REASONS)]
        rest = sum(reasons.values()) - sum(n for _, n in reasons.most_common(_REASONS))
        if rest:
            lines.append(f"  {rest:>5,}  other reasons")
        return ["Refused, because it:", *lines] if lines else []

    def to_dict(self) -> dict[str, Any]:
        """Return what ``fastclf collect --json`` prints."""
        return {
            "folder": str(self.folder),
            "photos": self.photos,
            "new": self.new,
            "seconds": round(self.seconds, 1),
            "classes": {
                label: {
                    "found": c.found, "stored": c.stored, "duplicate": c.duplicate, "refused": c.refused,
                    "not_needed": c.waiting, "gone": c.gone, "photos": c.photos, "reasons": dict(c.reasons),
                }
                for label, c in self.classes.items()
            },
            "notes": list(self.notes),
            "table": str(self.table) if self.table else None,
            "sheets": {label: str(path) for label, path in self.sheets.items()},
        }  # fmt: skip


def count_classes(catalog: Catalog, labels: Sequence[str]) -> dict[str, ClassCount]:
    """Return the numbers of the classes, as of the last scan; `labels` come first."""
    statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in catalog.fetches.rows():
        statuses[row.label][row.status] += 1
        if row.status == REFUSED:
            reasons[row.label][fold_reason(row.reason)] += 1
    photos = Counter(photo.label for photo in catalog.photos().photos)
    rest = sorted({*statuses, *photos} - {*labels})
    return {
        label: ClassCount(
            found=statuses[label].total(),
            photos=photos[label],
            stored=statuses[label][STORED],
            duplicate=statuses[label][DUPLICATE],
            refused=statuses[label][REFUSED],
            waiting=statuses[label][WAITING],
            gone=catalog.fetches.count_gone(label),
            reasons=reasons[label],
        )
        for label in (*labels, *rest)
    }


def fold_reason(reason: str) -> str:
    """Return a refusal without the figures that make each one different.

    Examples
    --------
    >>> fold_reason("has 60,000 x 60,000 pixels; at most 80,000,000 are read, so scale it down")
    'has ... x ... pixels'
    >>> fold_reason("answered 404 (not found)")
    'answered 404 (not found)'
    """
    text = reason.partition(";")[0]
    if text.startswith(("answered", "took")):
        return text
    text = re.sub(r"the host [^ ,]+", "a host", text)
    return re.sub(r"\b[\da-f.,:]*\d[\da-f.,:]*\b", "...", text)


def write_table(catalog: Catalog, folder: Path) -> Path:
    """Write every address and what became of it as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "collected.csv"
    write_atomic(path, catalog.fetches.to_csv())
    return path


def write_sheets(catalog: Catalog, folder: Path) -> dict[str, Path]:
    """Write a PNG with the small pictures of each class."""
    folder.mkdir(parents=True, exist_ok=True)
    by_label: dict[str, list[Photo]] = {}
    for photo in catalog.photos().photos:
        by_label.setdefault(photo.label, []).append(photo)
    sheets = {}
    for label, photos in by_label.items():
        sheets[label] = folder / f"{_shorten(label)}.png"
        write_atomic(sheets[label], encode_png(_draw_sheet(catalog, label, photos)))
    return sheets


def _shorten(label: str) -> str:
    """Return a file's name for a class, short enough with whatever is put around it."""
    name = label.replace("/", "_")
    if len(name.encode()) <= 120:
        return name
    return f"{name.encode()[:100].decode(errors='ignore')}-{hash_bytes(label.encode())[:8]}"


def _draw_sheet(catalog: Catalog, label: str, photos: Sequence[Photo]) -> Image.Image:
    # evenly over the class where not all have room
    shown = [photos[i * len(photos) // min(len(photos), _MOST)] for i in range(min(len(photos), _MOST))]
    columns = min(_COLUMNS, max(4, len(shown)))
    rows = -(-len(shown) // columns)
    head = 36
    sheet = Image.new("RGB", (columns * _TILE + 8, rows * _TILE + head + 8), "#ececec")
    words = f"{label}: {len(photos)} photos" + (f", {len(shown)} of them" if len(shown) < len(photos) else "")
    ImageDraw.Draw(sheet).text((10, 9), words, "black", ImageFont.load_default(18))
    for place, photo in enumerate(shown):
        data = catalog.thumbnail(photo.sha256)
        if data is None:
            continue
        tile = make_thumbnail(decode_photo(data).image, _TILE - 6)
        x, y = place % columns * _TILE + 7, place // columns * _TILE + head + 3
        sheet.paste(tile, (x + (_TILE - 6 - tile.width) // 2, y + (_TILE - 6 - tile.height) // 2))
    return sheet
