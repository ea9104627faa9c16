"""Every reader of a file that somebody names answers at once, whatever lies there: no pipe, device or endless file."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastclf.catalog import read_given_splits
from fastclf.collect import load_recipe, read_archive
from fastclf.collect.archives import read_source
from fastclf.collect.label_table import read_labels
from fastclf.collect.services.url_list import UrlList
from fastclf.errors import FastclfError, UsageError
from fastclf.inbox import Inbox
from fastclf.model import ModelBundle, check_trusted
from fastclf.photos import decode_photo
from fastclf.received import add_report, find_file_kind, import_project, import_teachable
from fastclf.score.given_list import GivenList
from fastclf.system import find_given_fault, read_given_file
from fastclf.training.learner_pickle import read_pickle
from fastclf.training.options import check_weights_file

from ..conftest import call_fastclf
from ..drawing import draw_photos
from ..toy import write_toy_bundle

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in its folders"),
    pytest.mark.timeout(60),  # what waits for ever is told soon
]
MOST_SECONDS = 2.0  # of work; beside other tests even an honest call may wait longer


def run(*call: str) -> Callable[[Path], object]:
    """A command whose last argument is the file; what it says is its one sentence."""

    def do(file: Path) -> None:
        done = call_fastclf(*call, file, cwd=file.parent)
        assert done.returncode in (1, 2), done.stdout
        sentence, *summary = done.stderr.strip().splitlines()
        assert len(summary) <= (1 if call[0] == "inbox" else 0)  # a command about several says how many
        raise UsageError(sentence)

    return do


def edit(file: Path) -> None:
    draw_photos(file.parent / "p", per_class=1)
    run("edits", "import", "p")(file)


def ask(file: Path) -> None:
    write_toy_bundle(file.parent / "m")
    run("predict", "m")(file)


def scores(file: Path) -> None:
    write_toy_bundle(file.parent / "m")
    run("drift", "m")(file)


def add_reports(file: Path) -> None:
    (file.parent / "p").mkdir()
    run("inbox", "add", "p")(file)


# {reader: (what it does, how the file is called)}
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "recipe": (load_recipe, "x.toml"),
    "table of labels": (read_labels, "x.csv"),
    "table of splits": (read_given_splits, "x.csv"),
    "list of addresses": (lambda file: UrlList(file, "a"), "x.txt"),
    "table of addresses": (lambda file: UrlList(file, "a"), "x.csv"),
    "edits": (edit, "x.csv"),
    "archive": (lambda file: list(read_archive(file, lambda name: True)), "x.zip"),
    "tar archive": (lambda file: list(read_archive(file, lambda name: True)), "x.tar.gz"),
    "source of photos": (lambda file: list(read_source(str(file), file.parent, lambda name: True)), "x.zip"),
    "list to score": (lambda file: list(GivenList(file, "/").walk()), "x.csv"),
    "list to score in Parquet": (lambda file: list(GivenList(file, "/").walk()), "x.parquet"),
    "Learner": (read_pickle, "x.pkl"),
    "trusted Learner": (lambda file: check_trusted(file, trust_pickle=False), "x.pkl"),
    "weights": (check_weights_file, "x.safetensors"),
    "kind": (find_file_kind, "x.zip"),
    "project": (lambda file: import_project(file, file.parent / "m", file.parent / "p"), "x.zip"),
    "project of Teachable Machine": (lambda file: import_teachable(file, file.parent / "p"), "x.tm"),
    "report": (lambda file: add_report(Inbox(file.parent / "i"), file), "x.zip"),
    "photo": (decode_photo, "x.jpg"),
    "model": (ModelBundle.load, "x"),
    "import": (run("import"), "x.zip"),
    "import of a Learner": (run("import", "--trust-pickle"), "x.pkl"),
    "inbox": (run("inbox", "list", "--inbox"), "x.sqlite"),
    "reports": (add_reports, "x.zip"),
    "scores": (scores, "x.parquet"),
    "predict": (ask, "x.jpg"),
    "train": (run("train"), "x.toml"),
    "collect": (run("collect"), "x.toml"),
}  # fmt: skip


def put_large(file: Path) -> None:
    with file.open("wb") as f:
        f.truncate(2**40)


# what has words of its own
_OWN = {
    "trusted Learner",
    "import of a Learner",
    "weights",
    "photo",
    "model",
    "inbox",
    "predict",
    "train",
    "collect",
}
THINGS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda file: file.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a terabyte": put_large,
}


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_a_named_file_answers_in_one_sentence_at_once(
    reader: str, thing: str, tmp_path: Path
) -> None:
    read, name = READERS[reader]
    file = tmp_path / name
    THINGS[thing](file)
    if (reader, thing) == ("source of photos", "a folder"):
        assert read(file) == []  # that is what it reads
        return
    started = time.process_time()
    with pytest.raises(FastclfError) as caught:
        read(file)
    assert time.process_time() - started < MOST_SECONDS
    assert "\n" not in str(caught.value)
    if thing in ("a pipe", "a device") and reader not in _OWN:
        assert "is a pipe, a device or a socket, not a file" in str(caught.value)
    assert len(str(caught.value)) < 800
    assert stat.S_IFMT(file.lstat().st_mode)  # it lies there as it was


def test_what_grows_while_it_is_read_is_read_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_given_file(file, 5) == b"12345"
    with pytest.raises(OSError, match="at most 0 MB"):
        read_given_file(file, 4)
    monkeypatch.setattr("fastclf.system.given_file._judge", lambda status, most: None)
    with pytest.raises(OSError, match="are read"):
        read_given_file(file, 4)


def test_a_file_that_is_exchanged_after_the_look_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "a")
    monkeypatch.setattr("fastclf.system.given_file.find_given_fault", lambda *_: None)
    with pytest.raises(OSError, match="is a pipe"):
        read_given_file(tmp_path / "a", 100)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    assert find_given_fault(Path("a\0b"), None, 1) is None
    with pytest.raises(OSError, match="null"):
        read_given_file(Path("a\0b"), 1)
