"""Reports are listed and erased by command, and of what is erased no byte stays in the file."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fastclf.inbox import Claim, Inbox
from fastclf.inbox import claim as claim_module

from ..conftest import call_fastclf
from ..drawing import draw_photo


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems build SQLite so that it overwrites anyway; here it does only what it is told."""
    connect = sqlite3.connect

    def open_plainly(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", open_plainly)


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """Five reports, each a week younger than the one before; the first is settled."""
    box = Inbox(tmp_path / "notes" / "inbox.sqlite")
    for number in range(5):
        made = (datetime.now(UTC) - timedelta(days=7 * (5 - number))).isoformat(timespec="seconds")
        monkeypatch.setattr(claim_module, "utc_now", lambda made=made: made)
        claim = Claim(name=f"secret-{number}.jpg", answer="blue", probability=0.9, label="red")
        box.add(draw_photo("red", number, (200, 150)), claim)
    box.settle({1: "dismissed"})
    return box


def read_bytes(box: Inbox) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(box.path.parent.iterdir()))


def find_core(box: Inbox, id: int) -> bytes:
    """A piece of a report's photo that no other one has."""
    data = box.read_photo(id)
    return data[-60:-10]


def ids(box: Inbox) -> list[int]:
    return [report.id for report in box.list_kept()]


@pytest.mark.parametrize(
    ("words", "left"),
    [(("2", "4"), [1, 3, 5]), (("--older-than", "20"), [4, 5]), (("--all",), []), (("--older-than", "400"), [1, 2, 3, 4, 5])],
    ids=["by number", "by age", "all", "none so old"],
)  # fmt: skip
def test_what_is_erased_is_gone_from_the_file_to_the_last_byte(
    inbox: Inbox, tmp_path: Path, words: tuple[str, ...], left: list[int]
) -> None:
    cores = {id: find_core(inbox, id) for id in ids(inbox)}
    assert all(core in read_bytes(inbox) for core in cores.values())
    done = call_fastclf("inbox", "erase", *words, "--inbox", inbox.path, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        0, f"{5 - len(left)} reports were erased from {inbox.path}.\n",
    )  # fmt: skip
    assert ids(inbox) == left
    kept = read_bytes(inbox)
    for id, core in cores.items():
        assert (core in kept) == (id in left)
        assert (f"secret-{id - 1}.jpg".encode() in kept) == (id in left)
    for id in left:
        assert inbox.read_photo(id)


def test_a_freed_photo_is_overwritten_without_any_command(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = find_core(inbox, 1)
    monkeypatch.setattr("fastclf.inbox.inbox._UNDO", 1)
    inbox.settle({2: "dismissed"})
    inbox.settle({3: "dismissed"})
    assert core not in read_bytes(inbox)
    assert [report.bytes > 0 for report in inbox.list_kept()] == [False, False, True, True, True]


def test_what_an_earlier_fastclf_freed_goes_with_the_next_erasing(inbox: Inbox, tmp_path: Path) -> None:
    core = find_core(inbox, 1)
    with contextlib.closing(sqlite3.connect(inbox.path)) as connection, connection:
        connection.execute("UPDATE reports SET jpeg = NULL WHERE id = 1")
    assert core in read_bytes(inbox)
    call_fastclf("inbox", "erase", "5", "--inbox", inbox.path, cwd=tmp_path)
    assert ids(inbox) == [1, 2, 3, 4]
    assert core not in read_bytes(inbox)


def test_the_list_names_waiting_and_settled_reports(inbox: Inbox, tmp_path: Path) -> None:
    done = call_fastclf("inbox", "list", "--inbox", inbox.path, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert "dismissed  secret-0.jpg: blue, 90 %; reported as red (" in lines[0]
    assert "waiting  secret-1.jpg" in lines[1]
    assert "5 reports are in" in done.stderr
    assert "4 of them wait" in done.stderr
    found = json.loads(call_fastclf("inbox", "list", "--inbox", inbox.path, "--json", cwd=tmp_path).stdout)
    assert [(r["id"], r["state"]) for r in found["reports"]][:2] == [(1, "dismissed"), (2, "waiting")]


def test_without_a_name_it_is_the_inbox_that_serve_uses(
    inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_INBOX", str(inbox.path))
    assert len(call_fastclf("inbox", "list", cwd=tmp_path).stdout.splitlines()) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("erase",), "Name the numbers of reports, or --older-than DAYS, or --all: one of the three."),
        (("erase", "1", "--all"), "one of the three"),
        (("erase", "1", "99"), "There is no report 99 in the inbox."),
        (("erase", "--older-than", "-1"), "--older-than is -1"),
        (("list", "--inbox", "none.sqlite"), "There is no inbox none.sqlite."),
    ],
)
def test_a_call_that_cannot_be_right_erases_nothing(
    inbox: Inbox, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    named = () if "--inbox" in words else ("--inbox", inbox.path)
    done = call_fastclf("inbox", *words, *named, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert ids(inbox) == [1, 2, 3, 4, 5]
