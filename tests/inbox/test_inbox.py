"""The inbox: reports come once, wait in order, are bounded, and survive whatever happens to who writes them."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastclf.errors import InboxError, UsageError
from fastclf.inbox import Claim, Inbox, build_report_zip, clean_name, find_inbox
from fastclf.inbox import inbox as inbox_module
from fastclf.photos import decode_photo
from fastclf.server import find_inbox_file
from fastclf.server.run import _build_env

from ..conftest import call_fastclf
from ..drawing import draw_photo, draw_photos


def claim(name: str = "a.jpg", **more: Any) -> Claim:
    """Return what a visitor says of a photo: red, not blue."""
    return Claim(**{"name": name, "answer": "blue", "probability": 0.9, "label": "red", **more})


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "notes" / "inbox.sqlite")


def draw(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return draw_photo("red", seed, size)


def test_a_report_comes_back_as_it_was_made(inbox: Inbox) -> None:
    assert inbox.reports() == []
    assert not inbox.path.parent.exists()
    first = inbox.add(draw(1), claim("bear.jpg", model="abc"))
    second = inbox.add(draw(2), claim("cat.jpg", answer=None, probability=None, label=None))
    reports = inbox.reports()
    assert [r.id for r in reports] == [first, second]
    got = reports[0]
    wanted = {"name": "bear.jpg", "answer": "blue", "probability": 0.9, "label": "red", "model": "abc"}
    assert wanted.items() <= asdict(got).items()
    assert got.time.endswith("+00:00")
    assert len(got.sha256) == 64
    assert (reports[1].answer, reports[1].probability, reports[1].label) == (None, None, None)
    photo = decode_photo(inbox.read_photo(first))
    assert (photo.format, photo.image.size) == ("JPEG", (40, 30))
    assert np.asarray(photo.image).mean((0, 1)) == pytest.approx(np.asarray(draw(1)).mean((0, 1)), abs=3)


def test_the_same_photo_with_the_same_claim_is_one_report(inbox: Inbox) -> None:
    first = inbox.add(draw(1), claim())
    assert inbox.add(draw(1), claim("b.jpg")) == first
    other = inbox.add(draw(1), claim(label=None))
    assert inbox.add(draw(1), claim(label=None)) == other != first
    assert [r.id for r in inbox.reports()] == [first, other]
    inbox.settle({first: "dismissed"})
    assert inbox.add(draw(1), claim()) == first
    assert [r.id for r in inbox.reports()] == [other]


@pytest.mark.slow
def test_stored_photos_are_small_and_say_nothing_of_where_they_were_taken(inbox: Inbox) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    image = draw(1, (3000, 1000))
    image.info["exif"] = exif.tobytes()
    image.info["comment"] = b"secret"
    data = inbox.read_photo(inbox.add(image, claim()))
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.size == (1600, 533)
        assert not stored.getexif()
        assert "comment" not in stored.info
    assert b"Exif" not in data
    assert b"secret" not in data
    assert image.size == (3000, 1000)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\Users\\me\\bear.jpg", "bear.jpg"), ("/", "photo"), ("", "photo"),
        ("..", "photo"), ("a\x00b\nc\u202e.jpg", "abc.jpg"), ("\udcff.png", ".png"), ("é 熊.jpg", "é 熊.jpg"),
        ("<script>.jpg", "<script>.jpg"), ("x" * 300 + ".jpg", "x" * 96 + ".jpg"),
    ],
)  # fmt: skip
def test_names_are_cleaned(inbox: Inbox, name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned
    inbox.add(draw(1), claim(name))
    assert inbox.reports()[0].name == cleaned


def test_hostile_texts_are_stored_within_bounds(inbox: Inbox) -> None:
    inbox.add(
        draw(1), claim("a", answer="\udc80" * 9, probability=float("nan"), label="l" * 9999, model="m" * 9999)
    )
    [report] = inbox.reports()
    assert report.probability is None
    assert len(report.label or "") == len(report.model) == 200
    assert (report.answer or "").isprintable()


def test_a_full_inbox_says_so_and_settling_makes_room(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i.sqlite", max_reports=3)
    ids = [inbox.add(draw(i), claim()) for i in range(3)]
    with pytest.raises(InboxError, match=r"full"):
        inbox.add(draw(9), claim())
    assert inbox.add(draw(0), claim()) == ids[0]
    inbox.settle({ids[0]: "taken"})
    inbox.add(draw(9), claim())
    size = len(Inbox(tmp_path / "i.sqlite").read_photo(ids[1]))
    small = Inbox(tmp_path / "j.sqlite", max_bytes=2 * size + size // 2)
    for i in range(2):
        small.add(draw(i), claim())
    with pytest.raises(InboxError, match="full"):
        small.add(draw(9), claim())
    assert len(small.reports()) == 2


def test_settled_reports_come_back_until_their_photos_are_freed(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "_UNDO", 2)
    ids = [inbox.add(draw(i), claim()) for i in range(5)]
    inbox.settle(dict.fromkeys(ids[:2], "taken"))
    assert [r.id for r in inbox.reports()] == ids[2:]
    inbox.reopen([ids[0]])
    assert [r.id for r in inbox.reports()] == [ids[0], *ids[2:]]
    assert inbox.read_photo(ids[0])
    inbox.settle(dict.fromkeys(ids[2:4], "dismissed"))
    with pytest.raises(InboxError, match="too long ago"):
        inbox.reopen([ids[3], ids[1]])
    assert [r.id for r in inbox.reports()] == [ids[0], ids[4]]
    with pytest.raises(InboxError, match="no longer"):
        inbox.read_photo(ids[1])
    with pytest.raises(InboxError, match="no longer"):
        inbox.read_photo(999)
    kept = sqlite3.connect(inbox.path).execute("SELECT COUNT(jpeg) FROM reports").fetchone()
    assert kept == (4,)


def test_a_wrong_outcome_changes_nothing(inbox: Inbox) -> None:
    id = inbox.add(draw(1), claim())
    with pytest.raises(UsageError, match="taken or dismissed"):
        inbox.settle({id: "burnt"})
    inbox.settle({id: "taken", 77: "taken"})
    inbox.settle({id: "dismissed"})
    states = sqlite3.connect(inbox.path).execute("SELECT state FROM reports").fetchall()
    assert states == [("taken",)]


@pytest.mark.skipif(os.name == "nt", reason="permissions of Unix")
def test_only_the_owner_can_read_the_file(inbox: Inbox) -> None:
    inbox.add(draw(1), claim())
    with sqlite3.connect(inbox.path) as other:
        other.execute("SELECT * FROM reports").fetchall()
        inbox.add(draw(2), claim())
        files = list(inbox.path.parent.iterdir())
        assert len(files) == 3  # the log stays while somebody has the file open
        assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert stat.S_IMODE(inbox.path.parent.stat().st_mode) == 0o700


_WRITE = """
import sys
from pathlib import Path
from fastclf.inbox import Claim, Inbox
from tests.drawing import draw_photo
inbox = Inbox(Path(sys.argv[1]))
print("start", flush=True)
for i in range(int(sys.argv[2]), int(sys.argv[3])):
    inbox.add(draw_photo("red", i), Claim(name=f"{i}.jpg", answer="a", probability=0.5, label="b"))
    print(i, flush=True)
"""


def start_writer(inbox: Inbox, first: int, last: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITE, str(inbox.path), str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_visitors_may_report_at_once(inbox: Inbox) -> None:
    children = [start_writer(inbox, 10 * n, 10 * n + 10) for n in range(3)]
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    assert sorted(int(r.name.removesuffix(".jpg")) for r in inbox.reports()) == list(range(30))


@pytest.mark.slow
def test_a_killed_visitor_leaves_an_inbox_that_opens(inbox: Inbox) -> None:
    said: list[int] = []
    for round in range(3):
        child = start_writer(inbox, 1000 * round, 1000 * round + 1000)
        assert child.stdout
        assert child.stdout.readline() == "start\n"
        mine = [int(child.stdout.readline()) for _ in range(5 + round)]
        child.kill()
        said += mine + [int(line) for line in child.stdout.read().split()]
        child.wait()
    names = {int(r.name.removesuffix(".jpg")) for r in inbox.reports()}
    assert set(said) <= names
    assert len(names) <= len(said) + 3
    for report in inbox.reports():
        decode_photo(inbox.read_photo(report.id))


def test_what_cannot_be_written_or_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    nowhere = Inbox(tmp_path / "file" / "inbox.sqlite")
    with pytest.raises(InboxError, match="FASTCLF_INBOX"):
        nowhere.add(draw(1), claim())
    with pytest.raises(InboxError, match=r"cannot be read"):
        nowhere.reports()
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database" * 1000)
    for use in (lambda: Inbox(broken).add(draw(1), claim()), lambda: Inbox(broken).reports()):
        with pytest.raises(InboxError, match=r"is damaged.*starts a new inbox"):
            use()


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InboxError, match="Mend its permissions"):
        Inbox(tmp_path / "inbox.sqlite").add(draw(1), claim())
    tmp_path.chmod(0o700)


def test_a_full_disk_is_a_sentence_and_nothing_is_torn(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.add(draw(1), claim())
    prepare = inbox_module._Store._prepare

    def limit(store: Any, wal: bool) -> None:
        prepare(store, wal)
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")

    monkeypatch.setattr(inbox_module._Store, "_prepare", limit)
    with pytest.raises(InboxError, match=r"disk that holds .* is full"):
        inbox.add(draw(2, (900, 900)), claim("b.jpg"))
    monkeypatch.undo()
    assert [r.name for r in inbox.reports()] == ["a.jpg"]
    inbox.add(draw(2, (900, 900)), claim("b.jpg"))


def test_the_environment_names_the_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_inbox() is None
    monkeypatch.setenv("FASTCLF_INBOX", " ")
    assert find_inbox() is None
    monkeypatch.setenv("FASTCLF_INBOX", "~/x/inbox.sqlite")
    found = find_inbox()
    assert found is not None
    assert found.path == Path.home() / "x" / "inbox.sqlite"


def test_a_zip_holds_the_photo_and_what_was_said_of_it() -> None:
    data = build_report_zip(draw(1), claim("../bär.png", label=None, model="abc"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["photo.jpg", "report.json"]
        assert decode_photo(archive.read("photo.jpg")).image.size == (40, 30)
        report = json.loads(archive.read("report.json"))
    wanted = {"name": "bär.png", "answer": "blue", "probability": 0.9, "label": None, "model": "abc"}
    assert wanted.items() <= report.items()
    assert "id" not in report
    assert len(data) < 10_000
    # the encoded photo is the same every time, so that the inbox knows it again
    again = zipfile.ZipFile(io.BytesIO(build_report_zip(draw(1), claim())))
    assert again.read("photo.jpg") == zipfile.ZipFile(io.BytesIO(data)).read("photo.jpg")


def test_the_servers_inbox_lies_with_the_notes_about_the_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_inbox_file(None) is None
    photos = draw_photos(tmp_path / "photos", 1)
    assert find_inbox_file(None) == Path("photos/.fastclf/inbox.sqlite")
    assert find_inbox_file(photos) == photos / ".fastclf" / "inbox.sqlite"
    env = _build_env(Path("model"), None, False, find_inbox_file(None))
    assert env["FASTCLF_INBOX"] == str(photos / ".fastclf" / "inbox.sqlite")
    monkeypatch.setenv("FASTCLF_INBOX", "other.sqlite")
    assert find_inbox_file(photos) == Path("other.sqlite")
    assert _build_env(Path("model"), None, False, None)["FASTCLF_INBOX"] == str(tmp_path / "other.sqlite")
    monkeypatch.setenv("FASTCLF_INBOX", "")
    assert find_inbox_file(photos) is None
    assert not _build_env(Path("model"), None, False, None)["FASTCLF_INBOX"]


def test_the_inbox_lies_beside_the_photos_of_the_model_that_is_served(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "apples" / "pear").mkdir(parents=True)
    own = draw_photos(tmp_path / "photos" / "bears", 1)
    assert find_inbox_file(None, toy_model) == Path("photos/bears/.fastclf/inbox.sqlite")
    assert not (tmp_path / "photos" / ".fastclf").exists()
    # one of an earlier fastclf is read on, until there is one of its own
    Inbox(tmp_path / "photos" / ".fastclf" / "inbox.sqlite").add(draw(1), claim())
    assert find_inbox_file(None, toy_model) == Path("photos/.fastclf/inbox.sqlite")
    assert find_inbox_file(own, toy_model) == own / ".fastclf" / "inbox.sqlite"
    Inbox(own / ".fastclf" / "inbox.sqlite").add(draw(1), claim())
    assert find_inbox_file(None, toy_model) == Path("photos/bears/.fastclf/inbox.sqlite")
    # no model, or a broken one
    assert find_inbox_file(None, tmp_path / "nosuch") == Path("photos/.fastclf/inbox.sqlite")


def test_photos_that_cannot_be_written_beside_have_their_inbox_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = draw_photos(tmp_path / "photos", 1)
    (photos / ".fastclf").write_text("in the way")
    monkeypatch.setenv("FASTCLF_CATALOG", str(tmp_path / "elsewhere"))
    found = find_inbox_file(photos)
    assert found is not None
    assert found.is_relative_to(tmp_path / "elsewhere")
    Inbox(found).add(draw(1), claim())
    assert len(Inbox(found).reports()) == 1


def test_serve_says_where_reports_go(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastclf.server.serve", lambda *_, **__: 0)
    taken = call_fastclf("serve", toy_model, "--inbox", "in.sqlite", cwd=tmp_path)
    assert "Visitors' corrections go to in.sqlite." in taken.stderr
    none = call_fastclf("serve", toy_model, cwd=tmp_path)
    assert "There is no inbox (--inbox FILE names one)" in none.stderr


def test_an_inbox_that_may_not_be_written_says_how_to_name_another(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fastclf.inbox.inbox.os.open", refuse)
    with pytest.raises(
        InboxError, match=r"cannot be written \(Permission denied\).*another file in FASTCLF_INBOX"
    ):
        inbox.add(draw(1), claim())
