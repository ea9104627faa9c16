"""A model carries what it answers about a few pictures, and `verify` says whether files and answers are the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastclf.model import Manifest, ModelBundle, Predictor, draw_picture, record_answers, verify_bundle
from fastclf.system import hash_file

from ..toy import write_toy_bundle


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_toy_bundle(tmp_path / "model")


def change(model: Path, **fields: object) -> None:
    """Rewrite the recorded answers, and the manifest with their hash."""
    file = model / "parity.json"
    values = json.loads(file.read_text())
    for photo in values["photos"]:
        photo.update(fields)
    file.write_text(json.dumps(values))
    relist(model)


def relist(model: Path) -> None:
    manifest = Manifest.read(model)
    there = {name: hash_file(model / name) for name in manifest.files if (model / name).exists()}
    replace(manifest, files=there).write(model)


def test_a_bundle_lists_what_it_answers_about_its_examples_and_a_drawn_picture(model: Path) -> None:
    values = json.loads((model / "parity.json").read_text())
    assert [p["file"] for p in values["photos"]] == [
        *(f"examples/example-{i}.jpg" for i in (1, 2, 3)),
        "drawn",
    ]
    assert "parity.json" in ModelBundle.load(model).manifest.files
    predictor = Predictor(model)
    first = predictor.predict(model / "examples" / "example-1.jpg")
    known = values["photos"][0]
    assert max(known["probs"]) == pytest.approx(first.probability, abs=1e-6)
    assert known["score"] == pytest.approx(first.ood_score, abs=1e-5)
    pixels = np.asarray(predictor.preprocess.resize(draw_picture()))
    assert values["photos"][3]["sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()


def test_a_sound_model_is_sound(model: Path) -> None:
    found = verify_bundle(model)
    assert found.is_sound
    assert (found.answers.photos, found.answers.read_otherwise) == (4, 0)
    assert found.answers.largest_difference <= 1e-6


def test_every_changed_or_missing_file_is_named(model: Path) -> None:
    (model / "photos.csv").unlink()
    (model / "examples" / "example-2.jpg").write_bytes(b"other")
    found = verify_bundle(model)
    assert found.faults == (
        "examples/example-2.jpg is not as it was written.",
        "photos.csv is missing; copy the whole folder again.",
    )
    assert found.answers is None


def test_a_stale_card_is_no_fault(model: Path) -> None:
    (model / "card.md").write_text("older")
    found = verify_bundle(model)
    assert found.is_sound
    assert "card.md" in found.notes[0]


def test_other_answers_are_told(model: Path) -> None:
    change(model, probs=[0.2, 0.3, 0.5])
    [fault] = verify_bundle(model).faults
    assert fault.startswith("It answers otherwise here than where it was made")


def test_other_pixels_alone_are_a_note(model: Path) -> None:
    change(model, sha256="0" * 64)
    found = verify_bundle(model)
    assert found.is_sound
    assert found.notes[0].startswith("4 of 4 pictures have other pixels here")


def test_a_model_that_does_not_open_is_not_sound(model: Path) -> None:
    (model / "model.onnx").write_bytes(b"no graph")
    (model / "parity.json").unlink()
    relist(model)
    [fault] = verify_bundle(model).faults
    assert "is damaged" in fault
    other = write_toy_bundle(model.with_name("other"))
    change(other, file="photos.csv")
    [fault] = verify_bundle(other).faults
    assert fault.startswith("photos.csv is ")


@pytest.mark.parametrize("fields", [{"file": "../secret"}, {"probs": [0.5]}, {"probs": "x"}, {"more": 1}])
def test_damaged_answers_are_one_sentence(model: Path, fields: dict[str, object]) -> None:
    change(model, **fields)
    [fault] = verify_bundle(model).faults
    assert "is damaged" in fault


def test_an_older_model_is_compared_by_its_files(model: Path) -> None:
    (model / "parity.json").unlink()
    relist(model)
    found = verify_bundle(model)
    assert found.is_sound
    assert found.notes == ("This model was made before answers were recorded; only its files are compared.",)


def test_a_model_without_examples_is_known_by_the_drawn_picture(model: Path) -> None:
    for file in (model / "examples").iterdir():
        file.unlink()
    relist(model)
    bundle = ModelBundle.load(model)
    with Predictor(bundle) as predictor:
        assert [answer.file for answer in record_answers(bundle, predictor.run)] == ["drawn"]
