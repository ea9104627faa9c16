"""`fastclf predict` takes what a person has at hand, and names every photo so that it is found again."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from fastclf.model import Prediction

from ..conftest import call_fastclf
from ..drawing import draw_photo, encode


@pytest.fixture
def here(toy_model: Path) -> Path:
    """A folder with `model`, and `photos` of two classes whose files are called alike."""
    folder = toy_model.parent
    for label in ("red", "blue"):
        (folder / "photos" / label).mkdir(parents=True)
        (folder / "photos" / label / "0.png").write_bytes(encode(draw_photo(label, 1), "PNG"))
    return folder


def ask(here: Path, *what: str, code: int = 0) -> dict[str, str | None]:
    done = call_fastclf("predict", "model", *what, "--json", cwd=here)
    assert done.returncode == code, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["file"]: row["label"] or row["error"] for row in rows}


def test_a_folder_a_pattern_and_an_archive_give_all_their_photos(here: Path) -> None:
    with zipfile.ZipFile(here / "a.zip", "w") as z, tarfile.open(here / "a.tgz", "w:gz") as t:
        for label in ("red", "blue"):
            z.write(here / "photos" / label / "0.png", f"{label}/0.png")
            t.add(here / "photos" / label / "0.png", f"{label}/0.png")
        z.writestr("notes.txt", "no photo")
    inside = {"red/0.png": "red", "blue/0.png": "blue"}
    for what, front in {
        "photos": "photos/", "photos/**/*.png": "photos/", "photos/*/0.png": "photos/", "photos/*": "photos/",
        "a.zip": "a.zip/", "a.tgz": "a.tgz/", "*.zip": "a.zip/",
    }.items():  # fmt: skip
        assert ask(here, what) == {f"{front}{name}": label for name, label in inside.items()}
    assert len(ask(here, "photos/red/0.png", "a.zip", "photos/**", "a.tgz")) == 6


def test_what_gives_nothing_is_named_and_the_others_are_answered(here: Path) -> None:
    (here / "empty").mkdir()
    (here / "cut.zip").write_bytes(b"PK\3\4 cut off")
    (here / "photos" / "red" / "bad.png").write_bytes(b"\x89PNG")
    with zipfile.ZipFile(here / "none.zip", "w") as z:
        z.writestr("notes.txt", "no photo")
    found = ask(here, "missing.jpg", "empty", "cut.zip", "none.zip", "*.tiff", "ftp://a/b", "photos", code=1)
    assert found == {
        "missing.jpg": "missing.jpg does not exist.", "empty": "empty holds no photos.",
        "cut.zip": found["cut.zip"], "none.zip": "none.zip holds no photos.", "*.tiff": "*.tiff matches no file.",
        "ftp://a/b": "ftp://a/b is an address that is not fetched; http and https ones are.",
        "photos/red/0.png": "red", "photos/blue/0.png": "blue",
        "photos/red/bad.png": "photos/red/bad.png is a damaged PNG; save or fetch it again.",
    }  # fmt: skip
    assert str(found["cut.zip"]).startswith("cut.zip cannot be read (cut.zip is damaged")


def test_a_name_with_marks_of_patterns_is_a_file_first(here: Path) -> None:
    shutil.copy(here / "photos" / "red" / "0.png", here / "[1] a*b?.png")
    assert ask(here, "[1] a*b?.png") == {"[1] a*b?.png": "red"}


def test_one_photo_comes_by_standard_input(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO((here / "photos" / "red" / "0.png").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert ask(here, "-") == {"standard input": "red"}
    for wrong, words in ((["-", "-"], "name it once"), (["a.png", ""], "is empty")):
        done = call_fastclf("predict", "model", *wrong, cwd=here)
        assert (done.returncode, words in done.stderr) == (2, True)


def test_an_address_is_fetched_by_the_rules_of_fetching(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (here / "photos" / "blue" / "0.png").read_bytes()
    monkeypatch.setattr("fastclf.collect.fetch_photo", lambda address: ("0.png", data))
    assert ask(here, "https://example.org/0.png") == {"https://example.org/0.png": "blue"}
    monkeypatch.undo()
    [words] = ask(here, "http://127.0.0.1/0.png", code=1).values()
    assert words is not None
    assert words.startswith("http://127.0.0.1/0.png cannot be read (")


def test_a_table_is_marked_tamed_and_has_a_column_for_each_class(here: Path) -> None:
    shutil.copytree(here / "photos", here / "=1+1")
    done = call_fastclf("predict", "model", "=1+1", "missing.jpg", "--csv", cwd=here)
    assert (done.returncode, done.stdout[0]) == (1, "\ufeff")
    rows = list(csv.DictReader(io.StringIO(done.stdout[1:])))
    assert [r["file"] for r in rows] == ["'=1+1/blue/0.png", "'=1+1/red/0.png", "missing.jpg"]
    assert [r["label"] for r in rows] == ["blue", "red", ""]
    for row in rows[:2]:
        shares = {label: row[label] for label in ("blue", "green", "red")}
        assert all(len(share) == 8 for share in shares.values())
        assert row["probability"] == shares[row["label"]]
        assert sum(map(float, shares.values())) == pytest.approx(1, abs=2e-6)


def test_a_figure_below_0_is_no_formula(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Prediction("-2.png", "blue", 0.5, {"blue": 0.5}, unfamiliar=False, ood_score=-3.5)
    monkeypatch.setattr("fastclf.model.Predictor.predict_many", lambda *_: [answer])
    done = call_fastclf("predict", "model", "photos", "--csv", cwd=here)
    [row] = csv.DictReader(io.StringIO(done.stdout[1:]))
    assert (row["file"], row["ood_score"]) == ("'-2.png", "-3.500000")
