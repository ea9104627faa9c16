"""Training and judging follow the catalog: edits, recorded splits, openings, cached and general features."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fastclf import ModelBundle, training
from fastclf.backbone import PACKAGED, open_packaged
from fastclf.card import build_card
from fastclf.catalog import Catalog, load_dataset
from fastclf.errors import PhotosError, UsageError
from fastclf.evaluation import evaluate
from fastclf.head import refit_head
from fastclf.model import CARD_FILES, compute_logits, extract_features
from fastclf.system import hash_bytes

from ..conftest import call_fastclf
from ..drawing import draw_photos, draw_scene
from .test_training import TINY

pytestmark = pytest.mark.slow


def test_training_follows_the_edits(photo_folder: Path) -> None:
    with Catalog(photo_folder) as catalog:
        catalog.scan()
        catalog.relabel(["red/000.png"], "blue")
        catalog.remove(["green/000.png"])
    data = load_dataset(photo_folder)
    labels = {row.photo.name: row.photo.label for row in data.rows}
    assert labels["red/000.png"] == "blue"
    assert "green/000.png" not in labels
    assert data.removed == 1


def test_a_table_that_names_no_photo_is_refused(photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("path,split\nred/999.png,valid\n")
    with pytest.raises(UsageError, match="names no photo"):
        load_dataset(photo_folder, split_by=tmp_path / "s.csv")
    names = [p.relative_to(photo_folder).as_posix() for p in sorted(photo_folder.rglob("*.png"))]
    rows = [f"{n},{'valid' if n.startswith('red') else 'train'}" for n in names]
    (tmp_path / "s.csv").write_text("path,split\n" + "\n".join(rows) + "\n")
    with pytest.raises(PhotosError, match="No photo of red is in the training split"):
        load_dataset(photo_folder, split_by=tmp_path / "s.csv")


def test_splits_are_the_recorded_ones_whatever_the_seed(photo_folder: Path) -> None:
    first = training.build_frame(load_dataset(photo_folder, seed=1)).set_index("name")["split"]
    draw_scene("more").save(photo_folder / "red" / "more.png")
    second = training.build_frame(load_dataset(photo_folder, seed=2)).set_index("name")["split"]
    assert (second[first.index] == first).all()


def test_training_fills_the_cache_that_a_refit_uses(coloured: SimpleNamespace) -> None:
    folder, bundle = coloured.folder, coloured.bundle
    with Catalog(folder) as catalog:
        photos = catalog.photos().photos
        cache = catalog.feature_cache(bundle.manifest.features_id)
        assert {p.sha256 for p in photos if p.split != "test"} == set(cache.load())
        valid = [p for p in photos if p.split == "valid"]
        # what is cached is what the graph would say
        features = extract_features(cache, valid, bundle)
        cache.clear()
        fresh = extract_features(catalog.feature_cache("fresh"), valid, bundle)
        assert np.allclose(features, fresh, atol=1e-5)
        answers = [bundle.vocab[k] for k in compute_logits(features, bundle).argmax(1)]
    metrics = bundle.manifest.metrics.valid
    assert np.mean([a == p.label for a, p in zip(answers, valid, strict=True)]) == metrics["accuracy"]
    # those of the validation photos are computed anew, too
    assert refit_head(bundle.path, folder).computed == len(coloured.data.rows) - len(
        coloured.data.part("test")
    )
    assert refit_head(bundle.path, folder).computed == 0


def test_the_model_records_its_split_and_brings_its_card(coloured: SimpleNamespace, tmp_path: Path) -> None:
    manifest, model, data = coloured.bundle.manifest, coloured.bundle.path, coloured.data
    numbers = {split: len(data.part(split)) for split in ("train", "valid", "test")}
    assert manifest.split == {
        "how": "drawn", "seed": 0, **numbers,
        "near_duplicates_across": 0, "left_out_leaks": 0, "left_out_conflicts": 0,
    }  # fmt: skip
    assert manifest.metrics.valid["ece_raw"] is not None
    card = build_card(manifest)
    assert {name: (model / name).read_bytes() for name in CARD_FILES} == card
    assert all(manifest.files[name] == hash_bytes(card[name]) for name in CARD_FILES)
    words = "{train} training photos, {valid} validation photos, {test} sealed test photos."
    assert words.format(**numbers) in card["card.md"].decode()
    # what was drawn before is recorded now; a copy under another label is left out
    again = load_dataset(coloured.folder, seed=5).split
    assert (again["how"], again["seed"]) == ("recorded", None)
    folder = draw_photos(tmp_path / "photos", per_class=5)
    (folder / "red" / "copy.png").write_bytes((folder / "blue" / "000.png").read_bytes())
    assert load_dataset(folder, split_by="folder").split["left_out_conflicts"] == 2


def test_an_opened_test_set_is_known_to_the_next_model(coloured: SimpleNamespace, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(coloured.folder, tmp_path / "photos"))
    bundle = ModelBundle.load(shutil.copytree(coloured.bundle.path, tmp_path / "model"))
    assert bundle.manifest.sealed_test.openings == []
    evaluate(bundle, folder, open_test_set=True)
    again = training.train(folder, tmp_path / "second", **TINY)
    [opening] = again.manifest.sealed_test.openings
    assert opening["inherited"] is True
    assert opening["n"] == len(coloured.data.part("test"))
    refitted = ModelBundle.load(refit_head(again.path, folder).candidate)
    assert refitted.manifest.sealed_test.openings == [opening]


def test_splits_by_a_table(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=12)
    names = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*.png"))]
    rows = [f"{name},{'valid' if i % 3 == 0 else 'train'}" for i, name in enumerate(names)]
    table = tmp_path / "splits.csv"
    table.write_text("path,split\n" + "\n".join(rows) + "\n")
    data = load_dataset(folder, split_by=table)
    assert {photo.name for photo in data.part("valid")} == set(names[::3])
    assert (data.split["how"], data.split["seed"]) == ("by the table splits.csv", None)
    table.write_text("path,split\n" + rows[0].replace("valid", "train") + "\n")
    train = ["train", folder, "--no-pretrained", "--arch=test_resnet", "--size=32", "--split-by=splits.csv"]
    done = call_fastclf(*train, cwd=tmp_path)
    assert done.returncode == 2
    assert "--redraw-splits" in done.stderr


def test_a_check_without_a_model_looks_through_the_packaged_network(
    photo_folder: Path, tmp_path: Path
) -> None:
    done = call_fastclf("check", photo_folder, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    features = json.loads(done.stdout)["features"]
    assert features["source"].startswith(PACKAGED.arch)
    assert features["out_of_sample"] is True
    with Catalog(photo_folder) as catalog:
        assert len(catalog.feature_cache(open_packaged().features_id).load()) == 30
    again = call_fastclf("check", photo_folder, "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == json.loads(done.stdout)
