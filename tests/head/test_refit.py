"""Retraining the head: on current labels, in a child process, beside the old model."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from fastclf import ModelBundle, Predictor
from fastclf.card import build_card
from fastclf.catalog import Catalog
from fastclf.errors import BundleError, MissingExtraError, RefitError, StoppedError
from fastclf.evaluation import record_opening
from fastclf.head import (
    RefitProgress,
    discard_refit,
    find_shift,
    list_earlier,
    refit_head,
    use_earlier,
    use_refit,
)
from fastclf.head.earlier import find_earlier
from fastclf.head.refit import _Follower, find_candidate
from fastclf.head.refit_progress import ProgressFile
from fastclf.model import CARD_FILES, MetricsByPart, PhotoRow
from fastclf.system import advise_install, hash_file, run_child

from ..drawing import draw_photo, draw_photos
from ..scanned import draw_splits_of, hash_folder, labels_of, scanned
from ..toy import write_toy_bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of 90 photos and a model of it, whose splits are the catalog's."""
    folder = draw_photos(tmp_path / "photos", per_class=30)
    rows = draw_splits_of(folder)
    return write_toy_bundle(tmp_path / "model", rows=rows), folder


def photos_of(folder: Path, split: str) -> list[str]:
    with Catalog(folder) as catalog:
        return [p.name for p in catalog.photos().photos if p.split == split]


def test_a_refit_follows_the_labels_and_leaves_the_old_model(pair: tuple[Path, Path]) -> None:
    model, folder = pair
    before = hash_folder(model)
    with Catalog(folder) as catalog:
        # whoever says red means crimson, and green photos are all called blue
        red = [p.name for p in catalog.photos().photos if p.label == "red"]
        green = [p.name for p in catalog.photos().photos if p.label == "green"]
        catalog.relabel(red, "crimson")
        catalog.relabel(green, "blue")
    result = refit_head(model, folder)
    assert hash_folder(model) == before
    assert result.candidate == find_candidate(model)
    new = ModelBundle.load(result.candidate)
    assert new.vocab == ["blue", "crimson"]
    assert (result.n, result.n_train) == (18, 63)
    assert result.before == pytest.approx(6 / 18)
    assert result.after == 1.0
    assert len(result.changed) == 12
    # sentences, whatever the child process wrote down
    assert "New classes: crimson." in result.notes
    with Predictor(result.candidate) as predictor:
        assert predictor.predict(folder / "green" / "000.png").label == "blue"
        assert predictor.predict(folder / "red" / "000.png").label == "crimson"


def test_the_new_bundle_is_whole_and_says_what_it_is_and_the_refit_is_light(pair: tuple[Path, Path]) -> None:
    model, folder = pair
    record_opening(ModelBundle.load(model), "x", {"n": 3, "accuracy": 1.0})
    old = ModelBundle.load(model)
    with Catalog(folder) as catalog:
        catalog.remove(photos_of(folder, "train")[:2])
    code = (
        "import sys; from fastclf.head.refit import refit_head; refit_head(sys.argv[1], sys.argv[2])\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, *pair], capture_output=True, text=True, check=True)
    # what is heavy is loaded in its own child process only
    assert not {"sklearn", "scipy", "onnx", "torch", "onnxruntime"} & set(done.stdout.split())
    new = ModelBundle.load(find_candidate(model))
    assert new.manifest.features_id == old.manifest.features_id
    assert new.manifest.sealed_test.openings == old.manifest.sealed_test.openings
    assert new.manifest.metrics.test is None
    assert new.manifest.metrics.valid["n"] == 18
    assert "fastclf export-pkl" in new.manifest.export_pkl
    assert new.manifest.refits[0]["edits"] == 2
    assert len(new.read_photos()) == 88
    assert new.manifest.split == {"how": "recorded", "train": 61, "valid": 18, "test": 9}
    assert {name: (new.path / name).read_bytes() for name in CARD_FILES} == build_card(new.manifest)
    assert set(CARD_FILES) <= set(new.manifest.files)
    assert "Refits" in (new.path / "card.md").read_text(encoding="utf-8")
    assert new.manifest.metrics.valid["ece_raw"] is not None
    assert new.manifest.parity.largest_difference <= 1e-3
    weight, bias = new.head
    graph = onnx.load(str(new.onnx_path)).graph
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    assert np.array_equal(stored["head.weight"], weight)
    assert np.array_equal(stored["head.bias"], bias)


def test_the_graphs_shapes_follow_the_head_and_no_other_shape_changes(
    toy_model: Path, tmp_path: Path
) -> None:
    from fastclf.head import LinearHead, attach_head

    source, target = tmp_path / "old.onnx", tmp_path / "new.onnx"
    model = onnx.load(str(toy_model / "model.onnx"))
    width = next(t.dims[1] for t in model.graph.initializer if t.name == "head.weight")
    noted = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("head.weight", [3, width]), ("head.bias", [3]))
    ]
    del model.graph.value_info[:]
    model.graph.value_info.extend(noted)
    onnx.save(model, str(source))
    head = LinearHead(np.ones((5, width), np.float32), np.ones(5, np.float32), 1.0)
    target.write_bytes(attach_head(source.read_bytes(), head))
    graph = onnx.load(str(target)).graph
    shapes = {
        v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim]
        for v in [*graph.value_info, *graph.output]
    }
    assert shapes["head.weight"] == [5, width]
    assert shapes["head.bias"] == [5]
    assert shapes["features"] == ["N", width]
    assert shapes["logits"] == ["N", 5]


def test_features_are_computed_once_and_no_test_photo_is_looked_at(pair: tuple[Path, Path]) -> None:
    model, folder = pair
    assert refit_head(model, folder).computed == 81
    with Catalog(folder) as catalog:
        known = catalog.feature_cache("0" * 64).load()
        assert not {p.sha256 for p in catalog.photos().photos if p.split == "test"} & known.keys()
        catalog.relabel(["red/000.png"], "blue")
    assert refit_head(model, folder).computed == 0
    draw_photo("red", 500).save(folder / "red" / "new.png")
    assert refit_head(model, folder).computed == 1


def test_a_refit_evens_rare_classes_out_as_the_model_was_and_no_unknown_way(pair: tuple[Path, Path]) -> None:
    model, folder = pair
    with Catalog(folder) as catalog:
        catalog.remove(
            [p.name for p in catalog.photos().photos if p.label == "red" and p.split == "train"][:15]
        )
        left = [p for p in catalog.photos().photos if p.split == "train"]
    targets = np.array([["blue", "green", "red"].index(p.label) for p in left])
    biases = {}
    for balance in (None, "?", "auto"):
        manifest = json.loads((model / "bundle.json").read_text())
        manifest["training"] = {"balance": balance} if balance else {}
        (model / "bundle.json").write_text(json.dumps(manifest))
        biases[balance] = ModelBundle.load(refit_head(model, folder).candidate).head[1]
    shift = find_shift(targets, "auto")
    assert shift is not None
    assert biases["auto"] == pytest.approx(biases[None] + shift, abs=1e-5)
    assert np.array_equal(biases["?"], biases[None])


def test_using_the_new_model_keeps_the_old_and_it_can_be_refitted_again(pair: tuple[Path, Path]) -> None:
    model, folder = pair
    old = hash_file(model / "bundle.json")
    refit_head(model, folder)
    new = hash_file(find_candidate(model) / "bundle.json")
    use_refit(model)
    assert hash_file(model / "bundle.json") == new
    [earlier] = list_earlier(model)
    assert (earlier.stamp, hash_file(earlier.path / "bundle.json")) == (old, old)
    assert not find_candidate(model).exists()
    assert refit_head(model, folder).after == 1.0
    discard_refit(model)
    assert hash_file(model / "bundle.json") == new
    assert not find_candidate(model).exists()
    with pytest.raises(BundleError):
        use_refit(model)
    assert len(ModelBundle.load(model).manifest.refits) == 1


def test_the_last_three_models_are_kept_with_their_figures_and_each_can_be_used_again(
    tmp_path: Path,
) -> None:
    model = write_toy_bundle(tmp_path / "model")
    measured = MetricsByPart(valid={"n": 18, "accuracy": 0.5})
    stamps = []
    for n in range(5):
        shutil.copytree(model, find_candidate(model))
        replace(ModelBundle.load(model).manifest, title=f"{n}", metrics=measured).write(find_candidate(model))
        use_refit(model)
        stamps.append(hash_file(model / "bundle.json"))
    assert [m.stamp for m in list_earlier(model)] == stamps[3:0:-1]
    assert [(m.accuracy, m.n) for m in list_earlier(model)] == [(0.5, 18)] * 3
    with pytest.raises(BundleError, match="not there any more"):
        use_earlier(model, stamps[0])
    use_earlier(model, stamps[2])
    assert hash_file(model / "bundle.json") == stamps[2]
    assert [m.stamp for m in list_earlier(model)] == [stamps[4], stamps[3], stamps[1]]
    (list_earlier(model)[0].path / "head.npz").write_bytes(b"damaged")
    with pytest.raises(BundleError):
        use_earlier(model, stamps[4])
    assert hash_file(model / "bundle.json") == stamps[2]


def test_a_refit_says_how_far_it_is_and_one_that_is_stopped_leaves_nothing(pair: tuple[Path, Path]) -> None:
    model, folder = pair
    before, seen = hash_folder(model.parent), []

    def watch(progress: RefitProgress) -> None:
        seen.append(progress)
        if progress.step == "write":
            raise StoppedError("Enough.")

    with pytest.raises(StoppedError):
        refit_head(model, folder, watch)
    assert hash_folder(model.parent) == before
    assert not find_candidate(model).exists()
    assert not [p for p in model.parent.iterdir() if "refitted" in p.name]
    shares = [progress.share for progress in seen]
    assert shares == sorted(shares)
    assert shares[-1] >= 0.75


def test_a_refit_touches_no_folder_of_others_and_no_other_refit(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=20)
    model = write_toy_bundle(tmp_path / "model")
    for name in ("model-new", ".model-earlier"):
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
    [opening] = ModelBundle.load(model).manifest.sealed_test.openings
    assert opening["inherited"] is True
    assert hash_folder(tmp_path / "model-new").keys() == {"thesis.txt"}
    assert "thesis.txt" in hash_folder(find_earlier(model))
    find_candidate(model).mkdir()
    (find_candidate(model) / "mine").write_text("x")
    with pytest.raises(RefitError, match="in the way"):
        refit_head(model, folder)


def test_two_classes_and_photos_the_body_was_trained_on(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=20)
    with scanned(folder) as catalog:
        catalog.remove([n for n in labels_of(catalog) if n.startswith("green")])
        photos = catalog.photos().photos
        splits = catalog.assign_splits(photos).splits
        # the body was trained on two photos that the catalog calls validation photos
        valid = [p for p, s in zip(photos, splits, strict=True) if s == "valid"]
        rows = [PhotoRow(p.sha256, p.label, p.sha256, "train") for p in valid[:2]]
    result = refit_head(write_toy_bundle(tmp_path / "model", rows=rows), folder)
    assert result.n == len(valid) - 2
    assert ModelBundle.load(result.candidate).vocab == ["blue", "red"]
    assert result.after == 1.0


def test_what_cannot_be_refitted_is_a_sentence(pair: tuple[Path, Path], tmp_path: Path) -> None:
    model, folder = pair
    with pytest.raises(BundleError):
        refit_head(tmp_path / "none", folder)
    with Catalog(folder) as catalog:
        catalog.relabel(list(labels_of(catalog)), "one")
    with pytest.raises(RefitError, match="needs two"):
        refit_head(model, folder)
    with Catalog(folder) as catalog:
        catalog.undo()
        catalog.remove(photos_of(folder, "valid"))
    with pytest.raises(RefitError, match="no validation photos"):
        refit_head(model, folder)
    assert not find_candidate(model).exists()
    assert [p.name for p in tmp_path.iterdir() if "model" in p.name] == ["model"]


def test_a_child_without_its_packages_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scipy.py").write_text("raise ModuleNotFoundError('gone', name='scipy')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match=rf"scipy.*{re.escape(advise_install('head'))}"):
        run_child("fastclf.head.refit_worker", [], what="Retraining", error=RefitError, timeout=60)


def test_a_bar_does_not_fall_back_while_the_child_writes_how_far_it_is(tmp_path: Path) -> None:
    told, seen = tmp_path / "progress", []
    follower = _Follower(lambda progress: seen.append(progress.share), told)
    follower()
    ProgressFile(told).begin("features")(1, 2)
    follower()
    told.write_text("")
    follower()
    ProgressFile(told).begin("fit")
    follower()
    assert seen == [0, 0.25, 0.25, 0.5]
