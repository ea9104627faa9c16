"""The check that was kept in a stranger's catalog: a real report with hostile values in it, and all that shows it."""

from __future__ import annotations

import json
import zlib
from functools import cache
from typing import Any

from fastclf.catalog import Catalog
from fastclf.check import check_catalog, keep_report, read_report
from fastclf.check.kept import _KEY, _RESULT
from fastclf.dashboard.clean.doubts import list_remarks
from fastclf.dashboard.clean.items import Items
from fastclf.dashboard.clean.queue import Filter, count_views
from fastclf.dashboard.clean.wording import say_ranking
from fastclf.dashboard.texts import translate

from ...drawing import draw_photos
from ..tape import Tape, change_value, list_places
from ..target import Target, make_folder

_QUALITY = [["red/000.png"], ["red"], 0.45, "dark", {"file": "red/000.png", "kind": "dark", "value": 0.1,
                                                      "threshold": 0.2}, None]  # fmt: skip
_ODD = [["red/000.png"], ["red"], 0.5, "odd", {"file": "red/000.png", "score": 0.5}, None]
_LABEL = [["red/000.png"], ["red"], 0.97, "words", {"file": "red/000.png", "label": "red", "suggested": "blue",
                                                    "label_quality": 0.03}, "blue"]  # fmt: skip


@cache
def make_checked() -> tuple[Catalog, str]:
    """A catalog, and the report that it keeps as JSON; every kind has a finding."""
    folder = draw_photos(make_folder() / "photos", per_class=3, size=(16, 12))
    (folder / "red" / "copy.png").write_bytes((folder / "red" / "000.png").read_bytes())
    (folder / "blue" / "conflict.png").write_bytes((folder / "red" / "001.png").read_bytes())
    (folder / "red" / "broken.png").write_bytes(b"broken")
    catalog = Catalog(folder)
    catalog.scan()
    keep_report(catalog, check_catalog(catalog, labels=False), catalog.photos(removed=True).photos)
    found = json.loads(zlib.decompress(catalog.read_result(_RESULT, _KEY) or b""))
    copies = found["findings"]["duplicate"]
    found["findings"].update(
        {"quality": [_QUALITY], "odd": [_ODD], "label": [_LABEL], "leak": copies, "near-duplicate": copies}
    )
    found["answers"] = {"red/000.png": ["blue", 0.9], "blue/000.png": ["blue", 0.5]}
    good = json.dumps(found)
    _put(catalog, good)
    assert read_report(catalog) is not None
    return catalog, good


def take_report(data: bytes) -> None:
    """Change some values of the report, and show it as the Clean tab does."""
    catalog, good = make_checked()
    found, tape = json.loads(good), Tape(data)
    for _ in range(tape.number(3)):
        change_value(found, tape.choose(_draw_places(found, tape)), tape)
    _put(catalog, json.dumps(found, default=repr))
    _show(catalog)


def _put(catalog: Catalog, text: str) -> None:
    catalog.keep_result(_RESULT, _KEY, zlib.compress(text.encode(), 1))


def _draw_places(found: dict[str, Any], tape: Tape) -> list[tuple[Any, ...]]:
    """Places in one part; most in findings, where most is."""
    part = tape.choose(("findings", "findings", "findings", *found))
    return [(part,), *((part, *place) for place in list_places(found[part]))] if part in found else [(part,)]


def _show(catalog: Catalog) -> None:
    kept = read_report(catalog)
    if kept is None:
        return
    photos = catalog.photos(removed=True).photos
    kept.is_of(photos)
    report = kept.select(photos)
    items = Items(catalog, report)
    count_views(items.every, Filter())
    items.follow([item.key for item in items.every], {})
    words = [*list_remarks(report), *report.notes, *(r.text for item in items.every for r in item.reasons)]
    for text in words:
        translate(text).encode()
    translate(say_ranking("model" if report.answers else "", report.sealed))


TARGETS = [
    Target("kept-check", take_report, lambda: [b"\0", *(bytes([1, 0, n, n, 1, n]) for n in range(0, 250, 6))])
]
