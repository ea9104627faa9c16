"""Judging drawn photos with the toy model: losses, near-duplicates, foreign photos, openings, the command's words."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastclf import ModelBundle
from fastclf.errors import PhotosError, UsageError
from fastclf.evaluation import evaluate
from fastclf.metrics import compute_auroc
from fastclf.model import PhotoRow, Predictor
from fastclf.system import hash_file

from ..conftest import call_fastclf
from ..drawing import draw_photo, draw_scene
from ..model.test_bundle import edit
from ..scanned import scanned
from ..toy import write_toy_bundle

SPLITS = ["train"] * 5 + ["valid"] * 3 + ["test"] * 2


def model_of(folder: Path, out: Path, splits: list[str] = SPLITS) -> Path:
    """A toy bundle that knows the first photos of each class by these splits."""
    rows = [
        PhotoRow(hash_file(p), p.parent.name, hash_file(p), split)
        for label in ("red", "green", "blue")
        for p, split in zip(sorted((folder / label).iterdir()), splits, strict=False)
    ]
    return write_toy_bundle(out, rows=rows, judged=True)


def draw_scenes(folder: Path, per_class: int) -> Path:
    for label in ("red", "green", "blue"):
        (folder / label).mkdir(parents=True)
        for i in range(per_class):
            draw_scene(f"{label}{i}").save(folder / label / f"{i}.png")
    return folder


@pytest.fixture
def model(photo_folder: Path, tmp_path: Path) -> Path:
    return model_of(photo_folder, tmp_path / "judged")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Grey photos and scenes, some in a sub-folder, and a file that is none."""
    folder = tmp_path / "other things"
    (folder / "deep" / "er").mkdir(parents=True)
    for i in range(4):
        draw_scene(f"scene {i}").save(folder / f"{i}.png")
        draw_scene(f"more {i}").save(folder / "deep" / "er" / f"{i}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    return folder


def test_the_largest_losses_come_first_and_name_their_files(photo_folder: Path, model: Path) -> None:
    sorted((photo_folder / "red").iterdir())[5].rename(photo_folder / "blue" / "is red.png")
    result = evaluate(ModelBundle.load(model), photo_folder)
    worst = result.top_losses["valid"][0]
    with Predictor(model) as predictor:
        said = predictor.predict(photo_folder / "blue" / "is red.png")
    assert (worst["file"], worst["label"], worst["answer"]) == ("blue/is red.png", "blue", "red")
    assert worst["probability"] == pytest.approx(said.probability, abs=1e-5)
    assert worst["loss"] == pytest.approx(-np.log(said.probs["blue"]), abs=1e-4)
    losses = [row["loss"] for row in result.top_losses["valid"]]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 9


def test_no_sealed_photo_is_named_before_the_test_set_is_opened(photo_folder: Path, model: Path) -> None:
    sealed = {
        f"{c}/{p.name}" for c in ("red", "green", "blue") for p in sorted((photo_folder / c).iterdir())[8:]
    }
    closed = json.dumps(evaluate(ModelBundle.load(model), photo_folder).to_dict())
    assert not [name for name in sealed if name in closed]
    opened = evaluate(ModelBundle.load(model), photo_folder, open_test_set=True)
    assert {row["file"] for row in opened.top_losses["test"]} == sealed


@pytest.mark.slow
def test_evaluation_respects_what_is_sealed_beside_the_photos_and_copies(tmp_path: Path) -> None:
    folder = draw_scenes(tmp_path / "photos", 12)
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        splits = catalog.assign_splits(photos).splits
        trained = [p for p, s in zip(photos, splits, strict=True) if s == "train"]
        tests = list(splits).count("test")
    # the bundle knows a half of the training photos only
    rows = [PhotoRow(p.sha256, p.label, p.sha256, "train") for p in trained[::2]]
    Image.open(trained[0].path).resize((150, 120)).save(folder / "red" / "copy.jpg", quality=80)
    bundle = ModelBundle.load(write_toy_bundle(tmp_path / "model", rows=rows))
    result = evaluate(bundle, folder)
    assert result.sealed == tests
    assert result.metrics["new"]["n"] == len(photos) - tests - len(trained[::2])


def test_near_duplicates_across_the_split_are_counted_by_name(tmp_path: Path) -> None:
    folder = draw_scenes(tmp_path / "photos", 6)
    for target in ("red/6.jpg", "red/7.jpg"):
        draw_scene("red0").save(folder / target, quality=90 if target == "red/6.jpg" else 60)
    splits = ["train"] * 3 + ["valid"] * 4 + ["train"]
    bundle = ModelBundle.load(model_of(folder, tmp_path / "model", splits))
    found = evaluate(bundle, folder).near_duplicates_across
    # 0.png and 7.jpg are training photos, 6.jpg is the same picture in validation
    assert found["n"] == 2
    pairs = {frozenset(zip(e["files"], e["splits"], strict=True)) for e in found["examples"]}
    assert pairs == {
        frozenset({("red/0.png", "train"), ("red/6.jpg", "valid")}),
        frozenset({("red/7.jpg", "train"), ("red/6.jpg", "valid")}),
    }


def test_the_history_is_the_records_and_the_calibration_before_scaling_is_told(
    photo_folder: Path, model: Path
) -> None:
    edit(model, training={"epochs": [{"epoch": 1, "train_loss": 0.5}]}, temperature=2.0)
    result = evaluate(ModelBundle.load(model), photo_folder)
    assert result.history == [{"epoch": 1, "train_loss": 0.5}]
    valid = result.metrics["valid"]
    # all answers are right, so flatter probabilities are worse calibrated ones
    assert valid["accuracy"] == 1.0
    assert valid["ece_raw"] < valid["ece"]


def test_foreign_photos_are_scored_and_recorded(photo_folder: Path, model: Path, foreign: Path) -> None:
    result = evaluate(ModelBundle.load(model), photo_folder, foreign=foreign)
    bundle = ModelBundle.load(model)
    [entry] = bundle.manifest.ood.against
    with Predictor(bundle) as predictor:
        outside = [p.ood_score for p in predictor.predict_many(sorted(foreign.rglob("[0-9].*")))]
        valid = [p for c in ("red", "green", "blue") for p in sorted((photo_folder / c).iterdir())[5:8]]
        inside = [p.ood_score for p in predictor.predict_many(valid)]
    assert bundle.detector is not None
    flagged = np.mean(np.array(outside) > bundle.detector.threshold_)
    assert (entry["name"], entry["n"], entry["inside"], entry["n_inside"]) == ("other things", 8, "valid", 9)
    assert entry["auroc"] == pytest.approx(compute_auroc(np.array(inside), np.array(outside)))
    assert entry["flagged"] == pytest.approx(flagged)
    assert entry["flagged_interval"][0] < entry["flagged"] <= entry["flagged_interval"][1]
    assert entry["time"]
    assert [file for file, _ in result.failures] == ["broken.jpg"]
    assert result.foreign is not None
    assert result.foreign["auroc"] == entry["auroc"]


@pytest.mark.slow
def test_the_same_foreign_folder_again_replaces_its_entry(
    photo_folder: Path, model: Path, foreign: Path, tmp_path: Path
) -> None:
    evaluate(ModelBundle.load(model), photo_folder, foreign=foreign)
    shutil.copytree(foreign / "deep", tmp_path / "second")
    evaluate(ModelBundle.load(model), photo_folder, foreign=tmp_path / "second")
    (foreign / "0.png").unlink()
    evaluate(ModelBundle.load(model), photo_folder, open_test_set=True, foreign=foreign)
    against = ModelBundle.load(model).manifest.ood.against
    assert [(e["name"], e["n"], e["inside"]) for e in against] == [
        ("second", 4, "valid"),
        ("other things", 7, "test"),
    ]
    assert len(ModelBundle.load(model).manifest.sealed_test.openings) == 1


def test_photos_that_the_model_knows_are_no_foreign_ones(
    photo_folder: Path, model: Path, foreign: Path
) -> None:
    shutil.copy(photo_folder / "red" / "000.png", foreign / "known.png")
    result = evaluate(ModelBundle.load(model), photo_folder, foreign=foreign)
    assert result.foreign is not None
    assert (result.foreign["n"], result.foreign["known"]) == (8, 1)
    with pytest.raises(PhotosError, match="only photos that the model"):
        evaluate(ModelBundle.load(model), photo_folder, foreign=photo_folder / "red")


@pytest.mark.slow
def test_at_most_500_foreign_photos_are_asked_about(photo_folder: Path, model: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for i in range(520):
        draw_photo("red", 1000 + i, (8, 8)).save(many / f"{i:03d}.png")
    result = evaluate(ModelBundle.load(model), photo_folder, foreign=many)
    assert result.foreign is not None
    assert result.foreign["n"] == 500


def test_what_is_wrong_with_the_foreign_folder_is_said_before_the_test_set_is_opened(
    photo_folder: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name, words in (("empty", "holds no photos"), ("nowhere", "There is no folder")):
        with pytest.raises(PhotosError, match=words):
            evaluate(ModelBundle.load(model), photo_folder, open_test_set=True, foreign=tmp_path / name)
    assert ModelBundle.load(model).manifest.sealed_test.openings == []


def test_a_model_without_a_detector_says_so(photo_folder: Path, model: Path, foreign: Path) -> None:
    edit(model, ood=None)
    with pytest.raises(UsageError, match="--foreign"):
        evaluate(ModelBundle.load(model), photo_folder, foreign=foreign)
    assert evaluate(ModelBundle.load(model), photo_folder, open_test_set=True).metrics["test"]["n"] == 6


def test_an_opening_records_false_alarms_and_keeps_the_first_look(photo_folder: Path, model: Path) -> None:
    evaluate(ModelBundle.load(model), photo_folder, open_test_set=True)
    first = ModelBundle.load(model).manifest
    alarms = first.ood.test_false_alarms
    assert alarms["n"] == 6
    assert alarms["interval"][0] <= alarms["rate"] <= alarms["interval"][1]
    shutil.rmtree(photo_folder / "red")
    evaluate(ModelBundle.load(model), photo_folder, open_test_set=True)
    second = ModelBundle.load(model).manifest
    assert second.ood.test_false_alarms == alarms
    assert second.metrics.test == first.metrics.test
    openings = second.sealed_test.openings
    assert [(o["folder"], o["metrics"]["n"]) for o in openings] == [("photos", 6), ("photos", 4)]
    assert all(o["time"] for o in openings)
    assert "confusion" not in second.sealed_test.openings[0]["metrics"]


def test_other_parts_are_held_to_the_threshold_of_the_validation_photos(
    photo_folder: Path, model: Path
) -> None:
    threshold = ModelBundle.load(model).manifest.metrics.valid["sure"]["threshold"]
    result = evaluate(ModelBundle.load(model), photo_folder, open_test_set=True)
    assert result.metrics["test"]["sure"]["threshold"] == threshold
    assert result.metrics["test"]["sure"]["level"] is None
    # nine photos are too few to choose a threshold on
    assert result.metrics["valid"]["sure"] is None


def test_a_photo_that_vanishes_meanwhile_is_reported(
    photo_folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastclf.catalog import Catalog

    gone = sorted((photo_folder / "green").iterdir())[5]
    scan = Catalog.scan

    def scan_and_lose(self: Catalog, *args: Any, **kwargs: Any) -> Any:
        done = scan(self, *args, **kwargs)
        gone.unlink(missing_ok=True)
        return done

    monkeypatch.setattr(Catalog, "scan", scan_and_lose)
    result = evaluate(ModelBundle.load(model), photo_folder)
    assert result.metrics["valid"]["n"] == 8
    assert [file for file, _ in result.failures] == ["green/005.png"]


def test_the_command_tells_people_and_json_alike(photo_folder: Path, model: Path, foreign: Path) -> None:
    sorted((photo_folder / "red").iterdir())[5].rename(photo_folder / "blue" / "is red.png")
    arguments = ["evaluate", model, photo_folder, "--foreign", foreign, "--open-test-set", "--json"]
    done = call_fastclf(*arguments, cwd=model.parent)
    assert done.returncode == 0, done.stderr
    result, said = json.loads(done.stdout), done.stderr
    keys = {"metrics", "confusion", "top_losses", "near_duplicates_across", "history", "foreign", "sealed"}
    assert keys <= set(result)
    m = result["metrics"]["valid"]
    low, high = m["error_interval"]
    line = next(line for line in said.splitlines() if line.strip().startswith("validation"))
    figures = f"{100 * m['error_rate']:.1f} %  ({100 * low:.1f} to {100 * high:.1f} %)   n = {m['n']}"
    assert figures in line
    assert f"{m['ece']:.4f} ({m['ece_raw']:.4f} before temperature scaling)" in line
    assert re.search(r"Sure \(\d+ % and more\) on 100\.0 % of the test photos, right on 100\.0 %", said)
    assert "blue taken for red: 1 of 4 photos" in said
    assert re.search(r"blue/is red\.png +called red at \d+\.\d %, loss \d+\.\d\d", said)
    assert "No near-duplicates across splits." in said
    assert f"AUROC {result['foreign']['auroc']:.3f} against 6 test photos" in said
    assert "Skipped: broken.jpg" in said
    assert str(model / "card.html") in said
