"""A card is written with its manifest, and a kill in between leaves a model that opens and is mended later."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fastclf import ModelBundle, Predictor
from fastclf.card import build_card, repair_bundle
from fastclf.errors import BundleError
from fastclf.evaluation import record_ood, record_opening
from fastclf.model import CARD_FILES
from fastclf.system import hash_file, write_atomic

from ..scanned import hash_folder
from ..toy import write_toy_bundle


def load_card(model: Path) -> dict[str, bytes]:
    return {name: (model / name).read_bytes() for name in CARD_FILES}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with a card, as training leaves it."""
    return write_toy_bundle(tmp_path / "model", judged=True)


def record(model: Path) -> ModelBundle:
    """Write that the test set was opened."""
    metrics = {"n": 3, "accuracy": 1.0, "accuracy_interval": [0.4, 1.0], "error_rate": 0.0}
    return record_opening(ModelBundle.load(model), "x", metrics)


def test_records_rewrite_the_card_and_its_hashes(model: Path) -> None:
    before = load_card(model)
    bundle = record(model)
    entry = {"name": "cars", "n": 9, "auroc": 0.875, "flagged": 1.0, "inside": "test", "n_inside": 3}
    opened = load_card(model)
    bundle = record_ood(bundle, entry)
    assert b"was opened once" in opened["card.md"]
    assert b"was opened once" not in before["card.md"]
    assert b"0.875" in load_card(model)["card.html"]
    again = ModelBundle.load(model)
    assert again.manifest == bundle.manifest
    assert load_card(model) == build_card(again.manifest)
    for name in CARD_FILES:
        assert again.manifest.files[name] == hash_file(model / name)


def test_a_record_gives_an_older_model_its_card(model: Path) -> None:
    for name in CARD_FILES:
        (model / name).unlink()
    old = ModelBundle.load(model).manifest
    replace(old, files={name: sha for name, sha in old.files.items() if name not in CARD_FILES}).write(model)
    repair_bundle(model)
    assert not (model / "card.md").exists()
    record(model)
    assert set(CARD_FILES) <= set(ModelBundle.load(model).manifest.files)
    assert b"was opened once" in load_card(model)["card.md"]


@pytest.mark.parametrize("survived", [0, 1, 2])
@pytest.mark.parametrize("mend", [repair_bundle, record])
def test_a_kill_between_the_steps_leaves_a_model_that_opens_and_the_next_writer_mends_its_card(
    model: Path, survived: int, mend: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    done = 0

    def write(path: Path, data: bytes) -> None:
        nonlocal done
        if done == survived:
            raise Killed
        done += 1
        real(path, data)

    real = write_atomic
    with monkeypatch.context() as spell:
        spell.setattr("fastclf.card.write.write_atomic", write)
        spell.setattr("fastclf.model.manifest.write_atomic", write)
        with pytest.raises(Killed):
            record(model)
    # the record stands from the first step on
    killed = ModelBundle.load(model)
    assert len(killed.manifest.sealed_test.openings) == (survived > 0)
    with Predictor(killed) as predictor:
        assert predictor.predict(killed.example_files[0]).label == "blue"
    mend(model)
    after = ModelBundle.load(model)
    assert load_card(model) == build_card(after.manifest)
    assert (b"was opened" in load_card(model)["card.md"]) == bool(after.manifest.sealed_test.openings)
    whole = hash_folder(model)
    repair_bundle(model)
    assert hash_folder(model) == whole


def test_a_card_that_somebody_changed_or_removed_is_made_anew(model: Path) -> None:
    expected = load_card(model)
    (model / "card.html").write_text("<script>alert(1)</script>")
    (model / "card.md").unlink()
    repair_bundle(model)
    assert load_card(model) == expected


def test_a_model_that_a_kill_left_half_replaced_comes_back(model: Path) -> None:
    model.rename(model.with_name(".model.old"))
    repair_bundle(model)
    assert ModelBundle.load(model).vocab == ["blue", "green", "red"]
    repair_bundle(model.with_name("nothing"))
    assert not model.with_name("nothing").exists()


def test_a_stale_card_in_a_folder_that_cannot_be_written_stays_with_a_warning(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (model / "card.md").unlink()

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("fastclf.card.write.write_atomic", refuse)
    repair_bundle(model)
    assert "Read-only file system" in caplog.text


def test_a_manifest_with_nonsense_figures_answers_and_no_card_is_made_of_it(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = json.loads((model / "bundle.json").read_text())
    manifest["metrics"]["valid"] = {"n": 3, "accuracy": "high", "accuracy_interval": 7}
    (model / "bundle.json").write_text(json.dumps(manifest))
    (model / "card.md").unlink()
    before = hash_folder(model)
    repair_bundle(model)
    assert "cannot be written" in caplog.text
    with Predictor(model) as predictor:
        assert predictor.predict(predictor.bundle.example_files[0]).label == "blue"
    with pytest.raises(BundleError, match="figures"):
        record(model)
    assert hash_folder(model) == before


def test_photos_of_something_else_need_a_detector(model: Path) -> None:
    bundle = ModelBundle.load(model)
    with pytest.raises(BundleError, match="unfamiliar"):
        record_ood(ModelBundle(model, replace(bundle.manifest, ood=None)), {"name": "x"})
