"""Labels as other tools write them: a table, Label Studio's JSON, CVAT's XML and Datumaro's JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.parsers import expat

from ..errors import UsageError, describe_error
from ..system import FILE_COLUMNS, csv_bytes, read_table

MOST_LABEL_BYTES = 2**26
"""Bytes that a file of labels may have: its values take ten times as much memory."""

TABLE, LABEL_STUDIO, CVAT, DATUMARO = "a table", "Label Studio's", "CVAT's", "Datumaro's"
TARGETS = ("edits", "csv", "label-studio")
_LABELS = ("label", "labels", "choice", "class", "category", "target", "species", "breed", "y")
_COLUMNS = ("path", "label")
# What Label Studio calls the two ends of an answer, in the settings that its users copy.
_FROM, _TO = "choice", "image"


@dataclass(frozen=True)
class GivenLabels:
    """What a file of labels says.

    Attributes
    ----------
    kind
        Whose file it is, in words.
    labels
        {name of a photo as the file writes it: its labels, each once}; none where nobody has answered.
    hashes
        {name: sha256} where the file says so.
    """

    kind: str
    labels: Mapping[str, tuple[str, ...]]
    hashes: Mapping[str, str]


@dataclass(frozen=True)
class _Row:
    name: str
    labels: Sequence[str]
    sha256: str = ""


def parse_labels(data: bytes) -> GivenLabels:
    """Read labels, whichever of the known tools wrote them; the file's first bytes tell.

    Raises
    ------
    UsageError
        If it is none that is known, or too large.
    """
    if len(data) > MOST_LABEL_BYTES:
        raise UsageError(
            "The file of labels has {size:,} bytes; at most {most:,} are read. Import it in parts.",
            size=len(data),
            most=MOST_LABEL_BYTES,
        )
    if data.startswith(b"PK\3\4"):
        raise UsageError(
            "This is a zip file. Unpack it and name the file with the labels: annotations.xml of CVAT, the "
            ".json below annotations of Datumaro."
        )
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    kind, rows = _read_json(data) if start in (b"{", b"[") else _read_text(data, start)
    labels: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        labels[row.name] |= dict.fromkeys(row.labels)
    hashes = {row.name: row.sha256 for row in rows if row.sha256}
    return GivenLabels(kind, {name: tuple(found) for name, found in labels.items()}, hashes)


def _read_text(data: bytes, start: bytes) -> tuple[str, list[_Row]]:
    return (CVAT, _read_cvat(data)) if start == b"<" else (TABLE, _read_columns(data))


def _read_columns(data: bytes) -> list[_Row]:
    """Read a table with a column of files and one of labels; Label Studio's CSV is one, too."""
    table = read_table(data, "The file of labels", [*FILE_COLUMNS, *_LABELS])
    # "id" is the task's number in Label Studio's table, whose photos are below "image"
    file = next((name for name in FILE_COLUMNS if name in table.columns), None)
    label = next((name for name in _LABELS if name in table.columns and name != file), None)
    if file is None or label is None:
        raise UsageError(
            "This is no file of edits or labels: its columns are {columns}. It needs one of the photos "
            "(path) and one of their labels (label), or the columns that `fastclf edits export` writes.",
            columns=", ".join(table.columns)[:200] or "none",
        )
    return [
        _Row(row[file].strip(), [row[label].strip()] if row[label].strip() else [], row.get("sha256", ""))
        for _, row in table.rows
    ]


def _read_json(data: bytes) -> tuple[str, list[_Row]]:
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as e:
        raise UsageError("This file of labels is no JSON ({reason}).", reason=describe_error(e)) from None
    try:
        if isinstance(found, Mapping):
            return DATUMARO, list(_read_datumaro(found))
        return LABEL_STUDIO, [_read_task(task) for task in found]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, StopIteration):
        raise UsageError(
            "This JSON is no file of labels that is known: those of Label Studio are a list of tasks (JSON "
            "or JSON-MIN), those of Datumaro name categories and items."
        ) from None


def _read_task(task: Any) -> _Row:
    """Read a photo of Label Studio: a whole task, or a row of JSON-MIN."""
    data = task.get("data", task)
    name = next(data[key] for key in (*FILE_COLUMNS[:-2], *data) if isinstance(data.get(key), str))
    labels = list(_list_answers(task)) if "data" in task else list(_list_short_answers(task))
    sha256 = data.get("sha256")
    path = data.get("path")  # what fastclf wrote itself says more than an address
    return _Row(path if isinstance(path, str) else name, labels, sha256 if isinstance(sha256, str) else "")


def _list_answers(task: Mapping[str, Any]) -> Iterator[str]:
    """Yield what people chose for a photo as a whole; what a model predicted is no label."""
    for annotation in task.get("annotations") or task.get("completions") or ():
        if not annotation.get("was_cancelled"):
            for answer in annotation["result"]:
                if answer.get("type") == "choices":
                    yield from (str(one) for one in answer["value"]["choices"])


def _list_short_answers(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the labels of a row of JSON-MIN: a text, or an object of several."""
    found = next((row[key] for key in _LABELS if key in row), ())
    several = found["choices"] if isinstance(found, Mapping) else found
    yield from [several] if isinstance(several, str) else (str(one) for one in several)


def _read_datumaro(found: Mapping[str, Any]) -> Iterator[_Row]:
    names = [label["name"] for label in found["categories"]["label"]["labels"]]
    for item in found["items"]:
        path = (item.get("image") or item.get("media") or {}).get("path") or item["id"]
        ids = [one["label_id"] for one in item["annotations"] if one["type"] == "label"]
        if not all(isinstance(n, int) and 0 <= n < len(names) for n in ids):
            raise ValueError
        yield _Row(str(path), [str(names[n]) for n in ids])


def _read_cvat(data: bytes) -> list[_Row]:
    """Read the tags of CVAT's images; boxes and other shapes say nothing of a photo as a whole."""
    rows: list[_Row] = []
    parser = expat.ParserCreate()

    def start(tag: str, values: dict[str, str]) -> None:
        if tag == "image":
            rows.append(_Row(values.get("name", ""), []))
        elif tag == "tag" and rows and "label" in values:
            rows[-1] = _Row(rows[-1].name, [*rows[-1].labels, values["label"]])

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as e:
        raise UsageError("This file of labels is no XML ({reason}).", reason=describe_error(e)) from None
    if not rows:
        raise UsageError("This XML names no photo: those of CVAT do, as <image> (CVAT for images 1.1).")
    return rows


def _refuse_doctype(*_: object) -> None:
    """Refuse entities, of which a small file could make a huge one, or read other files."""
    raise ValueError("it declares a document type, which no file of CVAT does")


def list_names(given: str) -> list[str]:
    """Return what a photo may be called here that another tool names so, the likeliest first.

    An address is its path, or the file that Label Studio serves by it; and Label Studio puts eight signs of a
    number before the name of a file that was sent to it.

    Examples
    --------
    >>> list_names("/data/local-files/?d=red%2F000.png")
    ['red/000.png']
    >>> list_names("/data/upload/3/0a1b2c3d-000.png")
    ['data/upload/3/0a1b2c3d-000.png', '000.png']
    """
    text = given.strip().replace("\\", "/")
    try:
        address = urlsplit(text) if text.startswith("/data/") or "://" in text else None
    except ValueError:
        address = None
    if address is not None:
        text = (parse_qs(address.query).get("d") or [unquote(address.path)])[0]
    text = text.removeprefix("./").lstrip("/")
    mark, _, rest = text.rpartition("/")[2].partition("-")
    sent = len(mark) == 8 and not set(mark) - set("0123456789abcdef") and bool(rest)
    return [text, rest] if sent else [text]


def write_label_table(photos: Sequence[tuple[str, str, str]]) -> bytes:
    """Return CSV of (path, label, sha256), which spreadsheets and loaders of fastai read."""
    return csv_bytes((*_COLUMNS, "sha256"), photos)


def write_label_studio(photos: Sequence[tuple[str, str, str]]) -> bytes:
    """Return Label Studio's tasks of (path, label, sha256), each with today's label as its answer.

    The photos are named as its local storage serves them; its root has to be the photos' folder.
    """
    tasks = [
        {
            "data": {"image": f"/data/local-files/?d={path}", "path": path, "sha256": sha256},
            "annotations": [{"result": [_build_answer(label)]}],
        }
        for path, label, sha256 in photos
    ]
    return (json.dumps(tasks, ensure_ascii=False, indent=1) + "\n").encode()


def _build_answer(label: str) -> dict[str, Any]:
    return {"from_name": _FROM, "to_name": _TO, "type": "choices", "value": {"choices": [label]}}
