"""Training for real, through fastai, on photos drawn here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from fastai.vision.all import PILImage, RandomResizedCrop, Resize, ToTensor
from PIL import Image

from fastclf import ModelBundle, Predictor, training
from fastclf.catalog import load_dataset
from fastclf.errors import ExportError, PhotosError, UsageError
from fastclf.metrics import compute_softmax
from fastclf.model import Preprocess
from fastclf.photos import decode_photo
from fastclf.system import hash_file
from fastclf.training import build_frame
from fastclf.training.export import graph
from fastclf.training.network import read_preprocess

from ..conftest import ROOT, Trained, call_fastclf
from ..drawing import draw_photo, draw_photos
from ..toy import write_toy_bundle
from .tiny import build, on, prepare, read_state

pytestmark = pytest.mark.slow

TINY: dict[str, Any] = {
    "arch": "test_resnet", "size": 32, "pretrained": False, "epochs": 3, "batch_size": 16, "lr": 1e-2,
    "quiet": True,
}  # fmt: skip


def test_the_bundle_answers_like_the_learner_on_every_photo(coloured: SimpleNamespace) -> None:
    frame = build_frame(coloured.data)
    dl = coloured.learn.dls.test_dl(list(frame["file"]), bs=7)
    with coloured.learn.no_bar():
        expected = coloured.learn.get_preds(dl=dl)[0].numpy()
    predictor = Predictor(coloured.bundle)
    logits, features = predictor.run(
        predictor.preprocess.batch([decode_photo(p).image for p in frame["path"]])
    )
    assert np.abs(compute_softmax(logits) - expected).max() <= 1e-3
    weight, bias = coloured.bundle.head
    assert np.abs(features @ weight.T + bias - logits).max() < 1e-4
    assert coloured.bundle.manifest.parity.largest_difference <= 1e-3


def test_the_graph_is_what_the_bundle_promises(coloured: SimpleNamespace) -> None:
    model = onnx.load(coloured.bundle.onnx_path)
    assert [i.name for i in model.graph.input] == ["image"]
    assert [o.name for o in model.graph.output] == ["features", "logits", "maps"]
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    assert np.array_equal(weights["head.weight"], coloured.bundle.head[0])
    assert np.array_equal(weights["head.bias"], coloured.bundle.head[1])


def test_the_graph_does_not_tell_where_it_was_made(coloured: SimpleNamespace) -> None:
    held = coloured.bundle.onnx_path.read_bytes()
    assert b".py" not in held
    assert str(ROOT).encode() not in held
    assert sys.prefix.encode() not in held


def test_photos_that_fastai_reads_otherwise_train_as_normalised_copies(coloured: SimpleNamespace) -> None:
    frame = build_frame(coloured.data)
    copies = frame[frame["file"] != frame["path"]]
    assert len(copies) == 12
    for file, path in zip(copies["file"], copies["path"], strict=True):
        assert np.array_equal(np.asarray(PILImage.create(file)), np.asarray(decode_photo(path).image))


def test_the_manifest_tells_the_whole_story(coloured: SimpleNamespace) -> None:
    manifest = coloured.bundle.manifest.to_dict()
    assert manifest["vocab"] == ["blue", "green", "red"]
    assert manifest["metrics"]["valid"]["n"] == len(coloured.data.part("valid"))
    assert manifest["metrics"]["test"] is None
    assert manifest["sealed_test"] == {"n": len(coloured.data.part("test")), "openings": []}
    predictor, valid = Predictor(coloured.bundle), coloured.data.part("valid")
    alarms = [predictor.predict(photo.path).unfamiliar for photo in valid]
    assert manifest["ood"]["false_alarm_rate"] == pytest.approx(np.mean(alarms))
    assert manifest["ood"]["n"] == len(valid)
    assert set(manifest["files"]) >= {"model.onnx", "head.npz", "ood.npz", "photos.csv", "export.pkl"}
    assert manifest["preprocess"]["mean"] == pytest.approx([0.485, 0.456, 0.406])
    rows = {r.sha256: r for r in coloured.bundle.read_photos()}
    assert len(rows) == 72
    assert all(
        rows[hash_file(Path(p))].split == s for p, s in build_frame(coloured.data)[["path", "split"]].values
    )


def test_test_photos_never_reach_the_dataloaders(coloured: SimpleNamespace) -> None:
    shown = {*coloured.learn.dls.train_ds.items["file"], *coloured.learn.dls.valid_ds.items["file"]}
    frame = build_frame(coloured.data)
    assert shown == set(frame[frame["split"] != "test"]["file"])
    assert len(coloured.data.part("test")) > 0


def test_export_fails_when_the_exported_model_answers_otherwise(
    coloured: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = graph.fold_batch_norm

    def fold_badly(*layers: Any) -> Any:
        folded = exact(*layers)
        folded.bias.data[0] += 0.1
        return folded

    monkeypatch.setattr(graph, "fold_batch_norm", fold_badly)
    with pytest.raises(ExportError, match="differ from the trained one's"):
        training.export_bundle(coloured.learn, coloured.data, tmp_path / "model", arch="test_resnet")
    assert list(tmp_path.iterdir()) == []


def test_export_pkl_predicts_where_fastclf_cannot_be_imported(coloured: SimpleNamespace) -> None:
    script = (
        "import sys, json; sys.modules['fastclf'] = None\n"
        "from fastai.vision.all import load_learner, PILImage\n"
        "from pathlib import Path\n"
        "learn = load_learner(sys.argv[1]); path = sys.argv[2]\n"
        "with learn.no_bar():\n"
        "    answers = [learn.predict(x) for x in (path, Path(path), Path(path).read_bytes(), PILImage.create(path))]\n"
        "print(json.dumps([[a[0], a[2].tolist()] for a in answers]))\n"
    )
    photo = coloured.folder / "green" / "003.png"
    command = [sys.executable, "-c", script, coloured.bundle.path / "export.pkl", photo]
    done = subprocess.run(command, capture_output=True, text=True, cwd=coloured.folder, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    ours = Predictor(coloured.bundle).predict(photo)
    assert {label for label, _ in answers} == {ours.label}
    assert len({tuple(p) for _, p in answers}) == 1


def test_splits_and_weights_do_not_depend_on_where_the_photos_lie(tmp_path: Path) -> None:
    first = draw_photos(tmp_path / "a", per_class=12)
    second = tmp_path / "b"
    for number, path in enumerate(sorted(first.rglob("*.png"), key=hash_file)):
        target = second / path.parent.name / f"renamed {number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    rows, weights = [], []
    for folder in (first, second):
        data = load_dataset(folder)
        learn = build(data)
        training.fit(learn, training.plan_phases(1, pretrained=False), quiet=True)
        rows.append(data.list_rows())
        weights.append(read_state(learn))
    assert rows[0] == rows[1]
    assert all(np.array_equal(weights[1][name], value) for name, value in weights[0].items())


# `crop` is the model's of test_continuing.py
@pytest.mark.parametrize(
    "changes",
    [
        {"resize": "random-crop"},
        pytest.param({"resize": "crop"}, marks=pytest.mark.thorough),
        pytest.param({"resize": "pad"}, marks=pytest.mark.thorough),
        pytest.param({"arch": "mobilenetv4_conv_small_050", "size": 64}, marks=pytest.mark.thorough),
    ],
)
def test_every_resize_method_and_an_architecture_that_is_not_listed_export_with_parity(
    photo_folder: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    bundle = training.train(photo_folder, tmp_path / "model", **TINY | {"epochs": 1} | changes)
    resize = changes.get("resize", "published")
    assert bundle.preprocess.method == {"random-crop": "squish", "published": "crop"}.get(resize, resize)
    assert (bundle.preprocess.resize_to != bundle.preprocess.input_size[1:]) == (resize == "published")
    assert bundle.manifest.parity.largest_difference <= 1e-3
    assert [o.name for o in Predictor(bundle).session.get_outputs()] == ["features", "logits", "maps"]


def test_a_time_limit_is_kept_with_a_finished_schedule(photo_folder: Path, tmp_path: Path) -> None:
    started = time.monotonic() - 26
    options = {**TINY, "epochs": 100_000, "time_limit": 60}
    bundle = training.train(photo_folder, tmp_path / "model", started=started, **options)
    assert time.monotonic() - started < 60
    assert 1 < len(bundle.manifest.training.epochs) < 100_000


def test_the_plan_shrinks_to_what_fits_and_the_schedule_reaches_its_end(coloured: SimpleNamespace) -> None:
    seen: list[float] = []

    def watch(callback: Any) -> None:
        if callback.training:
            seen.append(callback.learn.pct_train)
            time.sleep(0.05)

    dls = training.build_dls(coloured.data, 32, pretrained=False, batch_size=16)
    learn = training.build_learner(dls, "test_resnet", pretrained=False)
    deadline = time.monotonic() + 4
    phases = training.plan_phases(500, pretrained=False)
    rows = training.fit(learn, phases, deadline=deadline, quiet=True, cbs=[on(after_batch=watch)]).epochs
    assert time.monotonic() < deadline + 1
    assert 1 < len(rows) < 500
    assert seen == sorted(seen)
    assert seen[-1] > 0.8  # of a whole that is 500 epochs, or the few that fit


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arch": "resnet81"}, "Similar ones: .*resnet18"),
        ({"arch": "vit_tiny_patch16_224", "size": 64}, "does not take photos of 64 x 64"),
    ],
)
def test_an_architecture_that_does_not_fit_is_refused_with_what_is_allowed(
    photo_folder: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        training.train(photo_folder, tmp_path / "model", **{**TINY, **changes})


def test_a_folder_with_other_things_is_not_replaced(photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(UsageError, match="other things"):
        training.train(photo_folder, tmp_path / "thesis", **TINY)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    (tmp_path / "thesis" / "bundle.json").write_text('{"webpack": 1}')
    with pytest.raises(UsageError, match=r"bundle\.json"):
        training.train(photo_folder, tmp_path / "thesis", **TINY)
    model = write_toy_bundle(tmp_path / "toy")
    (model / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        training.train(photo_folder, model, **TINY)
    assert (model / "notes.txt").exists()


@pytest.mark.parametrize("place", ["photos/model", "photos", "file/model", "/proc/nope/model"])
def test_a_place_that_cannot_hold_the_model_is_refused_before_training(
    photo_folder: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    started = time.monotonic()
    with pytest.raises(UsageError, match="--out"):
        training.train(photo_folder, tmp_path / place, **TINY)
    assert time.monotonic() - started < 2


def test_a_time_limit_without_a_whole_epoch_is_an_error_and_no_model(
    photo_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="over before the first epoch"):
        training.train(
            photo_folder, tmp_path / "model", **{**TINY, "time_limit": 60}, started=time.monotonic() - 58
        )
    assert not (tmp_path / "model").exists()


def test_too_few_photos_or_classes_are_refused_by_name(photo_folder: Path, tmp_path: Path) -> None:
    (photo_folder / "rare").mkdir()
    draw_photo("red", 70).save(photo_folder / "rare" / "a.png")
    with pytest.raises(PhotosError, match=r"rare \(1\)"):
        load_dataset(photo_folder)
    alone = tmp_path / "alone"
    shutil.copytree(photo_folder / "red", alone / "red")
    with pytest.raises(PhotosError, match="1 class"):
        load_dataset(alone)


def test_the_same_picture_under_two_labels_trains_neither(photo_folder: Path) -> None:
    draw_photo("red", 0).save(photo_folder / "blue" / "same.bmp")
    data = load_dataset(photo_folder)
    assert data.conflicts == 2
    assert data.lost_classes == []
    shutil.copytree(photo_folder / "green", photo_folder / "verdant")
    (photo_folder / "empty").mkdir()
    draw_photo("red", 71).save(photo_folder / "green" / "a.png")
    with pytest.raises(PhotosError, match=r"green \(1\)"):
        load_dataset(photo_folder)
    for i in range(3):
        draw_photo("green", 80 + i).save(photo_folder / "green" / f"more{i}.png")
    assert load_dataset(photo_folder).lost_classes == ["empty", "verdant"]
    assert len(data.rows) == 29


def test_the_default_size_follows_the_photos_and_is_said_with_what_is_left_out(tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "p", per_class=8, size=(120, 70))
    (folder / "red" / "broken.jpg").write_bytes(b"nothing")
    said: list[str] = []
    run = prepare(folder, tmp_path / "model", said=said, arch="test_resnet", pretrained=False)
    assert run.learn.dls.one_batch()[0].shape[-2:] == (64, 64)
    assert any("64 x 64 px" in s and "70 px" in s for s in said)
    assert any("red/broken.jpg" in s for s in said)


def test_preprocess_makes_fastais_tensor_to_the_last_bit(rng: np.random.Generator) -> None:
    sizes = [(1, 1000), (1000, 1), (3, 2), (2, 3), (100, 100), (640, 480), (481, 643), (223, 225), (17, 501)]
    ways = [
        ("squish", "zeros"),
        ("crop", "zeros"),
        *(("pad", mode) for mode in ("reflection", "border", "zeros")),
    ]
    for (width, height), target, (method, pad_mode) in product(
        sizes, [(64, 64), (224, 224), (96, 160)], ways
    ):
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        resize = Resize(target, method=method, pad_mode=pad_mode)
        expected = ToTensor()(resize(PILImage(image), split_idx=1)).numpy() / np.float32(255)
        ours = Preprocess((3, *target), target, method, pad_mode)(image)
        assert np.abs(ours - expected).max() <= 1 / 255 + 1e-6, (width, height, target, method)


@pytest.mark.parametrize("size", [224, 97])
def test_preprocess_makes_what_the_published_transforms_make_of_photos(
    size: int, data: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    files = []
    for width, height in [(3, 2), (100, 100), (641, 480), (481, 643), (223, 225), (17, 501), (257, 255)]:
        files.append(tmp_path / f"{width}x{height}.png")
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(files[-1])
    dls = training.build_dls(data, size, resize="published")
    ours = Preprocess.build(size, "published")
    for file, (batch, *_) in zip(files, dls.test_dl(files, bs=1, num_workers=0), strict=True):
        assert batch.shape[-2:] == (size, size)
        assert np.abs(ours(decode_photo(file).image) - batch[0].cpu().numpy()).max() <= 1e-3, file.name
    read = read_preprocess(SimpleNamespace(dls=dls))
    assert read == replace(ours, least_side=0)  # fastai decodes photos whole
    assert read.resize_to == (round(size / 0.875),) * 2


def test_preprocess_makes_what_fastais_random_resized_crop_makes_for_validation(
    rng: np.random.Generator,
) -> None:
    sizes = [(1, 1000), (3, 2), (100, 100), (640, 480), (481, 643), (17, 501)]
    targets = [((64, 64), 16), ((224, 224), 32), ((97, 161), 24), ((33, 20), 8)]
    for (width, height), (target, extra) in product(sizes, targets):
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        crop = RandomResizedCrop(target, min_scale=0.5)
        expected = ToTensor()(crop(PILImage(image), split_idx=1)).numpy() / np.float32(255)
        resize_to = (target[0] + extra, target[1] + extra)
        assert np.array_equal(Preprocess((3, *target), resize_to, "squish")(image), expected)


def test_digits_reach_what_is_promised(trained: Trained) -> None:
    manifest = json.loads(trained.stdout)
    assert manifest["metrics"]["valid"]["accuracy"] >= 0.97
    assert "Loading fastai" in trained.stderr
    assert "epoch 12/12" in trained.stderr
    done = call_fastclf(
        "evaluate", trained.model, trained.photos, "--open-test-set", "--json", cwd=trained.folder
    )
    test = json.loads(done.stdout)["metrics"]["test"]
    assert test["n"] == manifest["sealed_test"]["n"] >= 170
    assert test["accuracy"] >= 0.97
    assert test["ece"] <= 0.03
    assert len(ModelBundle.load(trained.model).manifest.sealed_test.openings) == 1
