"""Accidents that a hostile reader found, each kept from coming back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fastclf import Catalog, ModelBundle
from fastclf.errors import PhotosError, RefitError, UsageProblem
from fastclf.evaluation import evaluate
from fastclf.model import PhotoRow
from fastclf.refit import find_previous, refit_head, use_refit
from fastclf.refit.run import find_candidate
from fastclf.server.run import _build_env

from ..drawing import draw_photos, draw_scene
from ..scanned import hash_folder, scanned
from ..toy import write_toy_bundle


@pytest.mark.slow
def test_a_table_that_names_no_photo_is_refused(photo_folder: Path, tmp_path: Path) -> None:
    from fastclf.training import load_data

    (tmp_path / "s.csv").write_text("path,split\nphotos/red/000.png,valid\n")
    with pytest.raises(UsageProblem, match="names no photo"):
        load_data(photo_folder, split_by=tmp_path / "s.csv")
    names = [p.relative_to(photo_folder).as_posix() for p in sorted(photo_folder.rglob("*.png"))]
    rows = [f"{n},{'valid' if n.startswith('red') else 'train'}" for n in names]
    (tmp_path / "s.csv").write_text("path,split\n" + "\n".join(rows) + "\n")
    with pytest.raises(PhotosError, match="No photo of red is in the training split"):
        load_data(photo_folder, split_by=tmp_path / "s.csv")


def scenes(folder: Path) -> Path:
    for label in ("red", "blue", "green"):
        (folder / label).mkdir(parents=True)
        for i in range(12):
            draw_scene(f"{label}{i}").save(folder / label / f"{i}.png")
    return folder


def test_evaluation_respects_what_is_sealed_beside_the_photos_and_copies(tmp_path: Path) -> None:
    folder = scenes(tmp_path / "photos")
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        splits = catalog.assign_splits(photos).splits
        trained = [p for p, s in zip(photos, splits, strict=True) if s == "train"]
        tests = list(splits).count("test")
    # the bundle knows a half of the training photos only
    rows = [PhotoRow(p.sha256, p.label, p.sha256, "train") for p in trained[::2]]
    from PIL import Image

    Image.open(trained[0].path).resize((150, 120)).save(folder / "red" / "copy.jpg", quality=80)
    bundle = ModelBundle.load(write_toy_bundle(tmp_path / "model", rows=rows))
    result = evaluate(bundle, folder)
    assert result.sealed == tests
    assert result.metrics["new"]["n"] == len(photos) - tests - len(trained[::2])


@pytest.mark.slow
def test_a_refit_touches_no_folder_of_others_and_no_other_refit(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=20)
    model = write_toy_bundle(tmp_path / "model")
    for name in ("model-new", "model-previous"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    with scanned(folder) as catalog:
        catalog.record_opening("m", [p.sha256 for p in catalog.photos().photos], {"accuracy": 1.0})
    first = refit_head(model, folder)
    with Catalog(folder) as catalog:
        catalog.remove(["red/000.png"])
    second = refit_head(model, folder)
    assert first.stamp != second.stamp
    with pytest.raises(RefitError, match="Another retraining"):
        use_refit(model, first.stamp)
    use_refit(model, second.stamp)
    [opening] = ModelBundle.load(model).manifest["sealed_test"]["openings"]
    assert opening["inherited"] is True
    assert hash_folder(tmp_path / "model-new").keys() == {"thesis.txt"}
    assert hash_folder(tmp_path / "model-previous").keys() == {"thesis.txt"}
    shutil.rmtree(find_previous(model))
    find_candidate(model).mkdir()
    (find_candidate(model) / "mine").write_text("x")
    with pytest.raises(RefitError, match="in the way"):
        refit_head(model, folder)


def test_serve_passes_whole_paths_and_honours_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTCLF_CATALOG", "cat")
    monkeypatch.setenv("FASTCLF_OWNER", "1")
    env = _build_env(Path("model"), None, False)
    assert env["FASTCLF_CATALOG"] == str(tmp_path / "cat")
    assert env["FASTCLF_PHOTOS"] == str(tmp_path / "photos")
    assert env["FASTCLF_OWNER"] == "1"
    monkeypatch.delenv("FASTCLF_OWNER")
    assert "FASTCLF_OWNER" not in _build_env(Path("model"), None, False)
    assert _build_env(Path("model"), Path("p"), True)["FASTCLF_PHOTOS"] == str(tmp_path / "p")
