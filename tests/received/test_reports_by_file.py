"""What a visitor of a page without a server sends comes into the inbox, and so into Clean; nothing else does."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fastclf import Catalog
from fastclf.dashboard.clean.reports import Reports
from fastclf.errors import FastclfError, InboxError
from fastclf.inbox import Claim, Inbox, build_report_zip
from fastclf.photos import decode_photo
from fastclf.received import REPORT, add_report, find_file_kind

from ..conftest import call_fastclf
from ..drawing import bad_files, draw_photo, draw_photos, encode, png_with_size
from ..toy import write_toy_bundle
from .taught import pack_zip

CLAIM = Claim(name="my bear.jpg", answer="blue", probability=0.7, label="red", model="abc")
Members = dict[str, bytes]


def make(claim: Claim = CLAIM, seed: int = 3) -> bytes:
    return build_report_zip(draw_photo("red", seed), claim)


def unpack(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def change(**more: Any) -> Callable[[Members], object]:
    def apply(members: Members) -> None:
        members["report.json"] = json.dumps({**json.loads(members["report.json"]), **more}).encode()

    return apply


def swap(photo: bytes) -> Callable[[Members], object]:
    def apply(members: Members) -> None:
        members["photo.jpg"] = photo
        change(sha256=hashlib.sha256(photo).hexdigest())(members)

    return apply


def test_a_report_waits_in_clean_like_one_from_the_dashboard(tmp_path: Path) -> None:
    file = tmp_path / "report.zip"
    file.write_bytes(make())
    assert find_file_kind(file) == REPORT
    inbox = Inbox(tmp_path / "inbox.sqlite")
    number = add_report(inbox, file)
    assert add_report(inbox, file) == number
    [report] = inbox.reports()
    said = (report.name, report.answer, report.probability, report.label, report.model)
    assert said == ("my bear.jpg", "blue", 0.7, "red", "abc")
    assert decode_photo(inbox.read_photo(number)).image.size == (40, 30)
    draw_photos(tmp_path / "photos", per_class=3)
    with Catalog(tmp_path / "photos") as catalog:
        catalog.scan()
        [item] = Reports(catalog, inbox).load_items(["blue", "green", "red"])
    assert item.key == -number


def test_the_command_finds_the_inbox_of_the_model_or_of_the_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FASTCLF_INBOX", raising=False)
    monkeypatch.delenv("FASTCLF_PHOTOS", raising=False)
    write_toy_bundle(tmp_path / "model")
    draw_photos(tmp_path / "photos" / "colours", per_class=3)
    (tmp_path / "a.zip").write_bytes(make())
    (tmp_path / "b.zip").write_bytes(make(seed=4))
    (tmp_path / "c.zip").write_bytes(b"no report")
    first = call_fastclf("inbox", "add", "model", "a.zip", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "1 of 1 reports were taken in; 1 wait in " in first.stderr
    more = call_fastclf("inbox", "add", "photos/colours", "b.zip", "c.zip", "--json", cwd=tmp_path)
    assert more.returncode == 1
    told = json.loads(more.stdout)
    assert [len(told["taken"]), [one["file"] for one in told["failed"]]] == [1, ["c.zip"]]
    assert told["inbox"] == "photos/colours/.fastclf/inbox.sqlite"
    assert len(Inbox(tmp_path / told["inbox"]).reports()) == 2
    for call, words in ((["nothing", "a.zip"], "is no folder"), (["a.zip", "model"], "is no folder")):
        done = call_fastclf("inbox", "add", *call, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr


STRANGE: dict[str, tuple[Callable[[Members], object], str]] = {
    "another photo": (lambda m: m.update({"photo.jpg": b"x"}), "another photo"),
    "a page for a photo": (swap(bad_files()["page.jpg"][0]), "web page"),
    "a photo of a billion pixels": (swap(png_with_size(60_000, 60_000)), "pixels"),
    "a photo larger than a page makes": (swap(encode(Image.new("1", (6000, 4000)), "PNG")), "megapixels"),
    "no photo": (lambda m: m.pop("photo.jpg"), "is no report"),
    "a program": (lambda m: m.update({"run.py": b"x"}), "is no report"),
    "a text of a gigabyte": (lambda m: m.update({"report.json": bytes(2**20)}), "is no report"),
    "no JSON": (lambda m: m.update({"report.json": b"{"}), "cannot be read"),
    "a list": (lambda m: m.update({"report.json": b"[]"}), "an object"),
    "a name that is none": (change(name=7), "name is 7"),
    "a name of a page": (change(name="x" * 500), "name is"),
    "a name that turns": (change(label="a\nb"), "label is"),
    "a lone surrogate": (change(answer="\ud800"), "answer is"),
    "too sure": (change(probability=1.5), "probability is 1.5"),
    "not a number": (change(probability=float("nan")), "cannot be read"),
    "a truth": (change(probability=True), "probability is True"),
    "a model that is a list": (change(model=[]), "model is"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_what_a_stranger_put_into_a_report_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    apply, words = STRANGE[name]
    members = unpack(make())
    apply(members)
    (tmp_path / "r.zip").write_bytes(pack_zip(members, zipfile.ZIP_DEFLATED))
    inbox = Inbox(tmp_path / "inbox.sqlite")
    with pytest.raises(FastclfError, match=words) as caught:
        add_report(inbox, tmp_path / "r.zip")
    assert "\n" not in str(caught.value)
    assert not inbox.path.exists()


def test_a_full_inbox_takes_no_report_by_file_either(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite", max_reports=1)
    for seed in (1, 2):
        (tmp_path / f"{seed}.zip").write_bytes(make(seed=seed))
    add_report(inbox, tmp_path / "1.zip")
    with pytest.raises(InboxError, match="full"):
        add_report(inbox, tmp_path / "2.zip")
