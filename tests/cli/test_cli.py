"""The command as a user runs it: exit codes, stdout against stderr, JSON."""

from __future__ import annotations

import csv
import io
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fastclf.cli import parse_duration
from fastclf.errors import UsageError
from fastclf.model import PhotoRow
from fastclf.system import hash_file
from fastclf.training import TrainOptions

from ..conftest import call_fastclf, run_fastclf
from ..toy import write_toy_bundle


@pytest.mark.slow
def test_predict_json_answers_each_file_on_a_line_and_names_the_fault(toy_model: Path, red_png: Path) -> None:
    broken = red_png.with_name("broken.jpg")
    broken.write_bytes(b"\xff\xd8\xff\xe0 cut")
    second = shutil.copy(red_png, red_png.with_name("b.png"))
    done = run_fastclf("predict", toy_model, red_png, broken, second, "--json", cwd=toy_model.parent)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == [str(red_png), str(broken), str(second)]
    keys = ["file", "label", "probability", "probs", "unfamiliar", "ood_score", "error", "label_set"]
    keys.append("set_coverage")
    assert all(list(line) == keys for line in lines)
    assert [line["label"] for line in lines] == ["red", None, "red"]
    assert "broken.jpg" in lines[1]["error"]
    assert {lines[1][k] for k in keys[1:] if k != "error"} == {None}
    assert lines[0]["error"] is None
    assert "Traceback" not in done.stderr


def test_predict_prints_a_line_for_people_or_csv_with_a_header(toy_model: Path, red_png: Path) -> None:
    done = call_fastclf("predict", toy_model, red_png, cwd=toy_model.parent)
    assert (done.returncode, done.stdout.startswith(f"{red_png}: red, ")) == (0, True)
    done = call_fastclf("predict", toy_model, red_png, "missing.jpg", "--csv", cwd=toy_model.parent)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [r["label"] for r in rows] == ["red", ""]
    assert rows[1]["error"] == "missing.jpg does not exist."
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("call", "arguments", "code", "words"),
    [
        (call_fastclf, ["predict", "nothing", "a.png"], 1, "fastclf train"),
        (call_fastclf, ["predict", "model", "a.png", "--json", "--csv"], 2, "exclude"),
        (call_fastclf, ["predict"], 2, "Missing argument"),
        (call_fastclf, ["train", "no-such-thing"], 2, "digits"),
        (call_fastclf, ["train", "digits", "--time-limit", "soon"], 2, "1h30m"),
        (call_fastclf, ["evaluate", "model", "no-such-folder"], 1, "no folder"),
        (call_fastclf, ["serve", "nothing"], 1, "fastclf train"),
        (call_fastclf, ["serve", "model", "--port", "99999"], 1, "99999"),
        (run_fastclf, ["fly"], 2, "fly"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_a_code(
    call: Callable[..., CompletedProcess[str]], toy_model: Path, arguments: list[str], code: int, words: str
) -> None:
    done = call(*arguments, cwd=toy_model.parent)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_a_taken_port_is_a_sentence(toy_model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for call, *command in (call_fastclf, "serve", toy_model), (run_fastclf, "demo", "--out", toy_model):
            done = call(*command, "--port", port, cwd=toy_model.parent)
            assert done.returncode == 1
            assert f"Port {port}" in done.stderr
            assert "--port" in done.stderr
            assert "Traceback" not in done.stderr


def _bundle_of(photo_folder: Path, folder: Path) -> Path:
    """A toy bundle that was trained on some photos of the folder and sealed others."""
    splits = ["train"] * 6 + ["valid"] * 2 + ["test"]
    rows = [
        PhotoRow(hash_file(p), p.parent.name, hash_file(p), split)
        for label in ("red", "green", "blue")
        for p, split in zip(sorted((photo_folder / label).iterdir()), splits, strict=False)
    ]
    return write_toy_bundle(folder, rows=rows)


@pytest.mark.slow
def test_evaluate_leaves_the_test_set_sealed_unless_it_is_opened_by_name(
    photo_folder: Path, tmp_path: Path
) -> None:
    model = _bundle_of(photo_folder, tmp_path / "judged")
    done = call_fastclf("evaluate", model, photo_folder, "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert set(result["metrics"]) == {"valid", "new"}
    assert (result["metrics"]["valid"]["n"], result["metrics"]["new"]["n"], result["sealed"]) == (6, 3, 3)
    assert json.loads((model / "bundle.json").read_text())["sealed_test"]["openings"] == []
    done = run_fastclf("evaluate", model, photo_folder, "--open-test-set", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert result["metrics"]["test"]["n"] == 3
    assert result["metrics"]["test"]["accuracy"] == 1.0
    assert len(json.loads((model / "bundle.json").read_text())["sealed_test"]["openings"]) == 1


def test_evaluate_judges_by_the_labels_of_today(photo_folder: Path, tmp_path: Path) -> None:
    model = _bundle_of(photo_folder, tmp_path / "judged")
    valid = sorted((photo_folder / "red").iterdir())[6]
    valid.rename(photo_folder / "blue" / "moved.png")
    (photo_folder / "yellow").mkdir()
    shutil.copy(photo_folder / "blue" / "000.png", photo_folder / "yellow" / "a.png")
    done = call_fastclf("evaluate", model, photo_folder, "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    blue = result["vocab"].index("blue")
    assert result["confusion"]["valid"][blue][result["vocab"].index("red")] == 1
    assert result["metrics"]["valid"]["accuracy"] == pytest.approx(5 / 6)
    assert [f["file"] for f in result["failures"]] == ["yellow/a.png"]


def test_evaluate_on_training_photos_alone_says_why_not(photo_folder: Path, tmp_path: Path) -> None:
    rows = [PhotoRow(hash_file(p), p.parent.name, "g", "train") for p in photo_folder.rglob("*.png")]
    model = write_toy_bundle(tmp_path / "judged", rows=rows)
    done = call_fastclf("evaluate", model, photo_folder, cwd=tmp_path)
    assert done.returncode == 1
    assert "30 training photos" in done.stderr


def test_a_duration_is_understood_or_refused() -> None:
    for text, seconds in {"90": 90, "90s": 90, "5m": 300, "1h30m": 5400, "2H": 7200}.items():
        assert parse_duration(text) == seconds
    for text in ("", "m", "5 minutes", "-5m", "1.5h"):
        with pytest.raises(UsageError, match="1h30m"):
            parse_duration(text)


@pytest.mark.parametrize(
    ("rank", "command", "joins"), [(1, "train", True), (0, "train", False), (1, "predict", False)]
)
def test_of_a_launchers_processes_those_behind_the_first_join_its_training(
    rank: int, command: str, joins: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    joined: list[bool] = []
    monkeypatch.setattr("fastclf.cli.models.follow_training", lambda: joined.append(True))
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = call_fastclf(command, "--help", cwd=tmp_path)
    assert bool(joined) == joins
    assert ("Usage" in done.stdout) != joins


def test_train_hands_on_what_was_given_and_nothing_else(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[dict] = []

    def train(folder: Path, out: Path, options: TrainOptions, **more: object) -> None:
        handed.append({"folder": folder, "out": out, "options": options, **more})
        raise UsageError("Enough.")

    monkeypatch.setattr("fastclf.training.train", train)
    arguments = ["--epochs=3", "--lr=0.01", "--time-limit=2m", "--from=m", "--no-pretrained", "--out=o"]
    done = call_fastclf("train", photo_folder, *arguments, "--redraw-splits", cwd=tmp_path)
    assert done.returncode == 2
    assert "The splits of 0 photos were deleted" in done.stderr
    [given] = handed
    kept = {name: given.pop(name) for name in ("say", "progress", "started")}
    assert callable(kept["say"])
    assert given == {
        "folder": photo_folder, "out": Path("o"), "recipe": None, "photo_licence": "not recorded",
        "options": TrainOptions(epochs=3, lr=0.01, time_limit=120.0, from_model="m", pretrained=False),
    }  # fmt: skip
