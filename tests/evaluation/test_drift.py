"""New photos against the training photos: drawn ones with the toy model, text, JSON, a page, tables of scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf.errors import PhotosError
from fastclf.evaluation import measure_drift, read_scores
from fastclf.model import ModelBundle

from ..conftest import call_fastclf
from ..drawing import draw_photo, draw_photos
from .test_evaluation import model_of

COLOURS = ("red", "green", "blue")


def draw_new(folder: Path, per_class: int = 20, first: int = 100, change: float = 1.0) -> Path:
    folder.mkdir()
    for label in COLOURS:
        for i in range(first, first + per_class):
            image = draw_photo(label, i).convert("RGB")
            Image.fromarray((np.asarray(image) * change).astype(np.uint8)).save(folder / f"{label}{i}.png")
    return folder


@pytest.fixture
def trained(tmp_path: Path) -> tuple[ModelBundle, Path]:
    """A toy model of 60 photos, 45 of which it was judged on."""
    folder = draw_photos(tmp_path / "trained", per_class=20)
    model = model_of(folder, tmp_path / "m", ["train"] * 5 + ["valid"] * 15)
    return ModelBundle.load(model, verify=False), folder


def test_photos_of_the_same_kind_raise_no_alarm(trained: tuple[ModelBundle, Path], tmp_path: Path) -> None:
    bundle, folder = trained
    found = measure_drift(bundle, draw_new(tmp_path / "new"), photos=folder)
    assert found.alarms == []
    assert found.drivers == []
    assert (found.n, found.reference, set(found.p_values)) == (60, 45, {"unfamiliar", "classes", "features"})
    assert [row.answered for row in found.classes] == pytest.approx([1 / 3] * 3)
    assert found.to_dict()["level"] == 0.01


def test_dark_photos_raise_an_alarm_and_those_that_drive_it_are_named(
    trained: tuple[ModelBundle, Path], tmp_path: Path
) -> None:
    bundle, folder = trained
    new = draw_new(tmp_path / "new", 10)
    draw_new(tmp_path / "dark", 10, 200, 0.2)
    for file in (tmp_path / "dark").iterdir():
        file.rename(new / f"dark-{file.name}")
    (new / "broken.jpg").write_bytes(b"")
    found = measure_drift(bundle, new, photos=folder)
    # features are scaled to one length, so what is left of darkness in three of them is little
    assert "unfamiliar" in found.alarms
    assert {d.file[:5] for d in found.drivers if d.why == "unfamiliar"} == {"dark-"}
    assert [file for file, _ in found.failures] == ["broken.jpg"]


def test_without_the_training_photos_classes_and_the_threshold_are_compared(
    trained: tuple[ModelBundle, Path], tmp_path: Path
) -> None:
    new = draw_new(tmp_path / "new", 30)
    for file in [*new.glob("red*"), *new.glob("green*")]:
        file.unlink()
    found = measure_drift(trained[0], new)
    assert found.alarms == ["classes"]
    assert found.reference == 0
    assert found.classes[0].surprise > 3
    assert "not compared" in found.notes[0]


def test_too_few_photos_are_refused(trained: tuple[ModelBundle, Path], tmp_path: Path) -> None:
    bundle, _ = trained
    few = draw_new(tmp_path / "few", 3)
    with pytest.raises(PhotosError, match="holds 9 photos that can be read; 20 is the least"):
        measure_drift(bundle, few)
    with pytest.raises(PhotosError, match="can be compared by; 40 is the least"):
        measure_drift(bundle, draw_new(tmp_path / "new"), photos=draw_photos(tmp_path / "other", per_class=2))


@pytest.mark.slow
def test_the_command_tells_writes_json_and_a_page(trained: tuple[ModelBundle, Path], tmp_path: Path) -> None:
    bundle, folder = trained
    new = draw_new(tmp_path / "<new>", 20, change=0.3)
    options = ("--trained-on", folder, "--html", "d.html")
    done = call_fastclf("drift", bundle.path, new, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Alarm: the 60 photos of")
    page = (tmp_path / "d.html").read_text()
    assert "<new>" not in page
    assert page.count("<img") == page.count("<figure>") > 5
    done = call_fastclf("drift", bundle.path, new, "--trained-on", folder, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["alarms"]
    done = call_fastclf("drift", bundle.path, tmp_path / "none", cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_table_of_scores_is_compared_without_a_photo(
    trained: tuple[ModelBundle, Path], tmp_path: Path
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    labels = ["red"] * 30 + ["green", "blue"]
    columns = {
        "path": [f"{i}.jpg" for i in range(33)],
        "label": [*labels, None],
        "score": [*[0.5] * 32, None],
        "error": [*[None] * 32, "is empty"],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "scores.parquet")
    done = call_fastclf("drift", trained[0].path, tmp_path / "scores.parquet", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["n"], found["alarms"]) == (32, ["classes"])
    assert found["failures"] == [{"file": "32.jpg", "reason": "is empty"}]
    (tmp_path / "scores.parquet").write_bytes(b"PAR1 and no more")
    done = call_fastclf("drift", trained[0].path, tmp_path / "scores.parquet", cwd=tmp_path)
    assert "The table of scores" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_table_of_scores_with_too_many_rows_or_other_classes_is_refused(
    trained: tuple[ModelBundle, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"path": ["a", "b"], "label": ["red", "dog"], "score": [0.1, 0.1], "error": [None, None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    with pytest.raises(PhotosError, match="names dog, which the model does not know"):
        read_scores(trained[0], tmp_path)
    monkeypatch.setattr("fastclf.evaluation.score_tables._MOST_ROWS", 1)
    with pytest.raises(PhotosError, match="it has 2 rows; at most 1 are read"):
        read_scores(trained[0], tmp_path / "a.parquet")
    parquet.write_table(pyarrow.table({"path": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(PhotosError, match="cannot be read"):
        read_scores(trained[0], tmp_path / "a.parquet")
