"""What comes back from a browser: projects of Teach with hostile values, any bytes as each kind of file."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fastclf.head.linear import LinearHead
from fastclf.inbox import Claim, Inbox, build_report_zip
from fastclf.received import add_report, find_file_kind, read_project
from fastclf.received.class_folders import name_folders
from fastclf.received.project_zip import read_photos
from fastclf.received.teachable import list_classes, read_teachable_photos

from ...drawing import draw_photo, encode
from ...received.taught import describe, pack_zip
from ..tape import Tape, change_value, list_places
from ..target import Target, make_folder

MEMBERS = {
    f"photos/{k}/{n:05d}.jpg": encode(draw_photo("red", 10 * k + n, (8, 8)), "JPEG")
    for k in range(2)
    for n in (0, 5)
}


@cache
def place() -> Path:
    return make_folder()


def build_values() -> dict[str, Any]:
    """A whole project of two classes and three features."""
    head = LinearHead(np.ones((2, 3), np.float32), np.zeros(2, np.float32), 0.02)
    values = describe(["a", "b"], MEMBERS, head, "0" * 64)
    answer = {"file": next(iter(MEMBERS)), "logits": [0.0, 0.0], "probabilities": [0.5, 0.5]}
    return {**values, "parity": [answer]}


def take_values(data: bytes) -> None:
    """Change some values of a project and read it."""
    tape, values = Tape(data), build_values()
    places = list_places(values)
    for _ in range(1 + tape.number(4)):
        change_value(values, tape.choose(places), tape)
    try:
        text = json.dumps(values).encode()
    except TypeError:  # bytes are no JSON
        return
    take_zip(pack_zip({"project.json": text, **MEMBERS}))


def take_zip(data: bytes) -> None:
    file = place() / "project.zip"
    file.write_bytes(data)
    find_file_kind(file)
    project = read_project(file)
    folders = name_folders(project.vocab)
    assert len({name.casefold() for name in folders}) == len(project.vocab)
    assert np.isfinite(project.head.weight).all()
    for opened in read_photos(file, project):
        assert opened.photo.file in MEMBERS
        assert 0 <= opened.photo.label < len(folders)


def list_zips() -> list[bytes]:
    text = json.dumps(build_values()).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"project.json": text, **MEMBERS}.items():
            archive.writestr(name, data)
    return [pack_zip({"project.json": text, **MEMBERS}), out.getvalue()]


def take_report(data: bytes) -> None:
    file = place() / "report.zip"
    file.write_bytes(data)
    inbox = Inbox(place() / "inbox.sqlite", max_reports=10**9)
    number = add_report(inbox, file)
    inbox.erase([number])


def list_reports() -> list[bytes]:
    claim = Claim(name="a.jpg", answer="blue", probability=0.5, label=None, model="x")
    return [build_report_zip(draw_photo("red", n, (8, 8)), claim) for n in range(2)]


def take_teachable(data: bytes) -> None:
    file = place() / "x.tm"
    file.write_bytes(data)
    classes = list_classes(file)
    for photo in read_teachable_photos(file, dict(zip(classes, range(len(classes)), strict=True)), []):
        assert "/" not in photo.file
        assert 0 <= photo.label < len(classes)


def list_teachables() -> list[bytes]:
    photos = [encode(draw_photo("red", n, (8, 8)), "JPEG") for n in range(2)]
    manifest = b'{"type":"image","version":"2.4.4"}'
    flat = {"manifest.json": manifest, "a-!-0.jpg": photos[0], "b c-!-0.jpg": photos[1]}
    return [pack_zip(flat), pack_zip({"manifest.json": manifest, "a/0.jpg": photos[0], "b/0.jpg": photos[1]})]


_WORDS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"project.json", b"photos/0/", b"-!-", b"../", b"NaN", b"1e999", b"[" * 500,
          b"\0", b"\xff\xff\xff\xff", b"\xd8\x00", b'"vocab"', b"report.json")  # fmt: skip
TARGETS = [
    Target("project", take_values, lambda: [bytes(range(n, n + 12)) for n in range(0, 200, 10)]),
    Target("project-file", take_zip, list_zips, _WORDS),
    Target("report-file", take_report, list_reports, _WORDS),
    Target("teachable-file", take_teachable, list_teachables, _WORDS),
]
