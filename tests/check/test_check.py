"""The check of a folder: every kind of fault is found, nothing is changed, and the command says it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from fastclf import ModelBundle
from fastclf.backbone import find_packaged, open_packaged
from fastclf.catalog import Catalog
from fastclf.check import (
    CheckInputs,
    CheckReport,
    check_catalog,
    check_folder,
    find_first_answers,
    write_page,
)
from fastclf.check.inputs import beats_chance
from fastclf.check.page import render_page
from fastclf.errors import WeightsError
from fastclf.model import FeatureCache, PhotoRow

from ..conftest import call_fastclf, run_fastclf
from ..drawing import bad_files, draw_photo, draw_scene, draw_scenes
from ..scanned import hash_folder, rows_of, scanned
from ..toy import write_toy_bundle

JSON_KEYS = {
    "photos", "unreadable", "duplicates", "near_duplicates", "conflicting_labels", "low_quality",
    "label_issues", "odd", "leaks", "classes", "features",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no pretrained weights are installed."""
    monkeypatch.setattr("fastclf.check.inputs.find_packaged", lambda: None)


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch, no_weights: None) -> None:
    """The packaged weights after all, at a size that takes little time."""
    monkeypatch.setattr("fastclf.check.inputs.find_packaged", find_packaged)
    monkeypatch.setattr("fastclf.check.inputs.open_packaged", lambda: open_packaged(64))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of scenes with a fault of every kind."""
    folder = draw_scenes(tmp_path_factory.mktemp("faulty") / "photos", "a", "b", n=25)
    (folder / "empty").mkdir()
    (folder / "rare").mkdir()
    draw_scene("rare").save(folder / "rare" / "0.png")
    (folder / "a" / "cut.jpg").write_bytes(bad_files()["cut.jpg"][0])
    shutil.copy(folder / "a" / "00.png", folder / "a" / "same.png")
    draw_scene("a1").save(folder / "a" / "same pixels.bmp")
    draw_scene("a2").resize((140, 112)).save(folder / "a" / "small.jpg", quality=70)
    ImageOps.mirror(draw_scene("b3")).save(folder / "b" / "mirror.png")
    shutil.copy(folder / "b" / "04.png", folder / "a" / "conflict.png")
    scene = draw_scene("dark one")
    scene.point(lambda v: v * 0.2).save(folder / "b" / "dark.png")
    scene.filter(ImageFilter.GaussianBlur(9)).save(folder / "b" / "blurred.png")
    Image.new("RGB", (200, 160), (128, 120, 130)).save(folder / "b" / "empty.png")
    draw_scene("grey one").convert("L").convert("RGB").save(folder / "b" / "grey.png")
    draw_scene("long", (600, 60)).save(folder / "b" / "long.png")
    draw_scene("tiny").resize((40, 32)).save(folder / "b" / "tiny.png")
    return folder


@pytest.fixture(scope="module")
def report(faulty: Path) -> CheckReport:
    with scanned(faulty) as catalog:
        return check_catalog(catalog, labels=False)


def test_a_turned_copy_is_told_in_words_under_another_label_and_in_another_split(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for split, label, names in (("train", "a", "0123"), ("train", "b", "4567"), ("valid", "a", "8")):
        draw_scenes(folder / split, label, n=0)
        for name in names:
            draw_scene(name).save(folder / split / label / f"{name}.png")
    small = draw_scene("0").resize((150, 120)).rotate(-90, expand=True)
    small.save(folder / "train" / "b" / "turned.jpg", quality=85)
    draw_scene("1").rotate(180).save(folder / "valid" / "a" / "turned.png")
    with scanned(folder) as catalog:
        photos = catalog.photos().photos
        groups = dict(zip([p.name for p in photos], catalog.assign_splits(photos).groups, strict=True))
        report = check_catalog(catalog, labels=False)
    assert [str(f.words) for f in report.findings["conflict"]] == [
        "nearly the same picture as train/a/0.png, turned by 90 degrees, which is labelled a"
    ]
    assert [str(f.words) for f in report.findings["leak"]] == [
        "nearly the same picture as valid/a/turned.png, turned by 180 degrees, which is in validation"
    ]
    assert groups["train/b/turned.jpg"] == groups["train/a/0.png"]


def test_the_json_document_has_the_promised_keys(report: CheckReport) -> None:
    document = json.loads(json.dumps(report.to_dict()))
    assert set(document) >= JSON_KEYS
    assert set(document["duplicates"][0]) == {"files", "best", "tier", "score", "turned", "mirrored"}
    assert set(document["low_quality"][0]) == {"file", "kind", "value", "threshold"}
    [unreadable] = document["unreadable"]
    assert unreadable["file"] == "a/cut.jpg"
    assert unreadable["reason"].startswith("is cut off")
    assert set(document["classes"]["rare"]) == {"n", "warning"}
    assert (document["labels_checked"], document["sealed"]) == (False, 0)
    text = report.to_text()
    assert "Label doubts: not looked for." in text
    assert str(report.features) in text
    nothing = replace(report.features, out_of_sample=None)
    assert report.features.source not in replace(report, features=nothing).to_text()


def test_every_copy_is_found_with_its_tier(report: CheckReport) -> None:
    tiers = {frozenset(f.files): f.facts["tier"] for f in report.findings["duplicate"]}
    assert tiers == {
        frozenset({"a/00.png", "a/same.png"}): "bytes",
        frozenset({"a/01.png", "a/same pixels.bmp"}): "pixels",
        frozenset({"b/04.png", "a/conflict.png"}): "bytes",
    }
    near = {frozenset(f.files): f.facts for f in report.findings["near-duplicate"]}
    assert near[frozenset({"a/02.png", "a/small.jpg"})]["best"] == "a/02.png"
    assert frozenset({"b/03.png", "b/mirror.png"}) in near
    [conflict] = report.findings["conflict"]
    assert set(conflict.files) == {"b/04.png", "a/conflict.png"}


def test_what_shows_little_is_found_with_measure_and_threshold(report: CheckReport) -> None:
    found = {(f.files[0], f.facts["kind"]) for f in report.findings["quality"]}
    assert found >= {
        ("b/dark.png", "dark"), ("b/blurred.png", "blurred"), ("b/empty.png", "empty"), ("b/grey.png", "grey"),
        ("b/long.png", "odd shape"), ("b/tiny.png", "odd size"),
    }  # fmt: skip
    assert not {f for f, _ in found} & {f"{c}/{i:02d}.png" for c in "ab" for i in range(25)}
    assert all(f.facts["value"] != f.facts["threshold"] for f in report.findings["quality"])


def test_small_classes_are_named(report: CheckReport) -> None:
    assert "1 photo;" in str(report.classes["rare"].warning)
    assert report.classes["a"].warning is None
    assert (report.classes["empty"].n, "no usable photo" in str(report.classes["empty"].warning)) == (0, True)
    assert [row["label"] for row in report.to_dict()["small_classes"]] == ["empty", "rare"]


def test_a_check_of_a_folder_finds_the_same_and_changes_nothing(faulty: Path, report: CheckReport) -> None:
    before = hash_folder(faulty)
    assert check_folder(faulty, labels=False) == report
    with Catalog(faulty) as catalog:
        assert catalog.edits(log=True) == []
        assert not any(p.split for p in catalog.photos().photos)
    assert hash_folder(faulty) == before


def test_the_page_opens_from_disk_and_escapes_everything(tmp_path: Path) -> None:
    folder = tmp_path / "<b>photos"
    (folder / "<script>x").mkdir(parents=True)
    (folder / "b").mkdir()
    evil = folder / "<script>x" / "<img src=x onerror=alert(1)>.png"
    draw_scene("e").save(evil)
    shutil.copy(evil, folder / "b" / "copy.png")
    with scanned(folder) as catalog:
        hashes = {p.name: p.sha256 for p in catalog.photos().photos}
        found = check_catalog(catalog, labels=False)
        html = render_page(found, lambda name: catalog.thumbnail(hashes[name]))
        write_page(found, tmp_path / "report.html", lambda name: None)
    assert "<script>x" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;x" in html
    assert html.count("data:image/jpeg;base64,") >= 2
    assert "http" not in html
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.slow
def test_sealed_photos_are_not_judged_until_the_test_set_is_opened(catalog: Catalog) -> None:
    photos = catalog.photos().photos
    catalog.assign_splits(photos)
    photos = catalog.photos().photos
    sealed = {p.name for p in photos if p.split == "test"}
    assert len(sealed) == 3
    wrong = next(p.name for p in photos if p.split == "test")
    catalog.relabel([wrong], "blue" if not wrong.startswith("blue") else "red")
    seen = check_catalog(catalog)
    assert (seen.sealed, any("3 photos sealed for the test" in note for note in seen.notes)) == (3, True)
    assert not sealed & {f.files[0] for f in seen.findings["label"]}
    assert not sealed & set(seen.answers)
    assert set(seen.answers) == {p.name for p in photos} - sealed
    catalog.record_opening("m", [p.sha256 for p in photos if p.split == "test"], {})
    opened = check_catalog(catalog)
    assert opened.sealed == 0
    assert sealed <= set(opened.answers)


@pytest.mark.slow
def test_wrong_labels_are_found_and_the_result_is_kept(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.relabel(["red/003.png"], "blue")
    found = check_catalog(catalog)
    [doubt] = found.findings["label"]
    assert (doubt.files, doubt.labels, doubt.suggested) == (("red/003.png",), ("blue",), "red")
    assert found.features.out_of_sample
    monkeypatch.setattr("fastclf.check.label_issues.find_label_issues", None)
    assert check_catalog(catalog) == found
    monkeypatch.undo()
    catalog.undo()
    assert check_catalog(catalog).findings["label"] == ()


def test_arrays_that_do_not_fit_are_refused(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="30 rows"):
        check_catalog(catalog, CheckInputs(np.zeros((3, 4))))


def test_cached_features_survive_damage_and_two_writers(tmp_path: Path) -> None:
    hashes = [f"{i:064x}" for i in range(100)]
    for i in range(0, 100, 4):
        FeatureCache(tmp_path, "net").add({h: np.full(3, i, np.float32) for h in hashes[i : i + 4]})
    assert len(FeatureCache(tmp_path, "net").load()) == 100
    chunks = sorted((tmp_path / "features" / "net").glob("*.npz"))
    assert len(chunks) < 25
    chunks[0].write_bytes(b"torn")
    left = FeatureCache(tmp_path, "net")
    assert 0 < len(left.load()) < 100
    rows, there = left.stack(hashes)
    assert rows.shape == (100, 3)
    assert np.isnan(rows[~there]).all()
    assert np.isfinite(rows[there]).all()
    with pytest.raises(ValueError, match="cannot name"):
        FeatureCache(tmp_path, "../up")


@pytest.mark.slow
def test_the_command_prints_json_alone_or_words(faulty: Path, tmp_path: Path) -> None:
    done = run_fastclf("check", faulty, "--json", "--html", "r.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) >= JSON_KEYS
    assert (tmp_path / "r.html").stat().st_size > 10_000
    done = run_fastclf("check", faulty, "--no-labels", cwd=tmp_path)
    assert "Exact copies: 3" in done.stdout
    assert "cut.jpg: is cut off" in done.stdout
    assert "Label doubts: not looked for." in done.stdout
    for bad in (
        (tmp_path / "none",),
        (faulty, "--html", tmp_path / "no" / "r.html"),
        (faulty, "--model", tmp_path),
    ):
        done = run_fastclf("check", *bad, cwd=tmp_path)
        assert done.returncode in (1, 2)
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_digits_are_no_copies_of_each_other(tmp_path: Path) -> None:
    from fastclf.collect import write_digits

    with scanned(write_digits(tmp_path / "digits")) as catalog:
        assert catalog.find_near_pairs().pairs == ()


def test_photos_of_one_colour_are_not_chained(tmp_path: Path) -> None:
    for label in ("red", "blue"):
        (tmp_path / "p" / label).mkdir(parents=True)
        for i in range(12):
            draw_photo(label, i, (100, 80)).save(tmp_path / "p" / label / f"{i}.png")
    with scanned(tmp_path / "p") as catalog:
        assert check_catalog(catalog, labels=False).findings["near-duplicate"] == ()


def _at_chance(model: Path) -> Path:
    """Let the manifest say that validation found two of five photos right, of three classes."""
    manifest = json.loads((model / "bundle.json").read_text())
    per_class = {name: {"n": 10, "precision": 0.3, "recall": 0.4} for name in manifest["vocab"]}
    manifest["metrics"]["valid"] = {
        "n": 30, "accuracy": 0.4, "accuracy_interval": [0.246, 0.577], "per_class": per_class,
    }  # fmt: skip
    (model / "bundle.json").write_text(json.dumps(manifest))
    return model


@pytest.fixture
def rows_of_half(catalog: Catalog) -> list[PhotoRow]:
    """Every second photo was for validation, the others for training."""
    return rows_of(catalog.photos().photos, ["valid", "train"] * 15)


@pytest.mark.slow
def test_a_models_own_answers_count_where_it_was_not_trained(
    catalog: Catalog, tmp_path: Path, rows_of_half: list[PhotoRow]
) -> None:
    model = write_toy_bundle(tmp_path / "model", rows=rows_of_half, judged=True)
    bundle, found = ModelBundle.load(model), check_folder(catalog, model)
    assert found.features.out_of_sample is False
    assert "trained on these labels" in " ".join(found.notes)
    features = catalog.feature_cache("0" * 64).load()
    weight, bias = bundle.head
    for photo in catalog.photos().photos[::2]:
        logits = features[photo.sha256] @ weight.T + bias
        assert found.answers[photo.name][0] == bundle.vocab[int(logits.argmax())]
    stranger = ModelBundle.load(write_toy_bundle(tmp_path / "other"))
    assert "descriptor" in check_folder(catalog, stranger).features.source
    # one that was judged, and knows these classes, judges photos that it never saw
    stranger = ModelBundle.load(write_toy_bundle(tmp_path / "known", judged=True))
    found = check_folder(catalog, stranger)
    assert found.features.source.startswith("the body of")
    assert len(found.answers) == 30


@pytest.mark.slow
def test_a_model_at_chance_is_passed_over_and_the_report_says_why(
    catalog: Catalog, tmp_path: Path, rows_of_half: list[PhotoRow]
) -> None:
    bundle = ModelBundle.load(_at_chance(write_toy_bundle(tmp_path / "model", rows=rows_of_half)))
    found = check_folder(catalog, bundle)
    assert "descriptor" in found.features.source
    assert found.features.out_of_sample is True
    notes = " ".join(found.notes)
    assert "passed over" in notes
    assert "40.0% (24.6% to 57.7%, n = 30) is not surely above 33.3%" in notes
    # not even its features were computed
    assert not catalog.feature_cache("0" * 64).load()
    assert find_first_answers(catalog, bundle) == {}


@pytest.mark.slow
def test_a_model_that_was_never_judged_lends_its_features_and_does_not_answer(
    catalog: Catalog, tmp_path: Path, rows_of_half: list[PhotoRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_toy_bundle(tmp_path / "model", rows=rows_of_half)
    monkeypatch.setattr("fastclf.check.inputs.find_own_answers", None)
    found = check_folder(catalog, model)
    assert "Toy colours" in found.features.source
    assert "own answers are passed over" in " ".join(found.notes)


def test_chance_is_what_the_largest_class_gives(tmp_path: Path) -> None:
    model = write_toy_bundle(tmp_path / "model", judged=True)
    bundle = ModelBundle.load(model)
    assert beats_chance(bundle) is True
    assert beats_chance(ModelBundle.load(_at_chance(model))) is False
    assert beats_chance(ModelBundle.load(write_toy_bundle(tmp_path / "other"))) is None
    # 80 % right is nothing where four of five photos are of one class
    valid = bundle.manifest.metrics.valid
    valid |= {"accuracy_interval": [0.75, 0.85], "n": 100}
    valid["per_class"] = {name: {"n": n} for name, n in zip(bundle.vocab, (80, 10, 10), strict=True)}
    assert beats_chance(bundle) is False
    valid["per_class"]["blue"]["n"] = 70
    assert beats_chance(bundle) is True


@pytest.mark.slow
def test_a_copy_of_a_sealed_photo_is_sealed(tmp_path: Path) -> None:
    folder = draw_scenes(tmp_path / "photos", "red", "blue", "green", n=12)
    with scanned(folder) as catalog:
        catalog.assign_splits(catalog.photos().photos)
        sealed = next(p for p in catalog.photos().photos if p.split == "test")
        draw_scene("x").save(folder / "red" / "other.png")
        Image.open(sealed.path).resize((150, 120)).save(folder / "red" / "copy of sealed.jpg", quality=80)
        catalog.scan()
        report = check_catalog(catalog)
        assert "red/copy of sealed.jpg" not in report.answers
        assert "red/other.png" in report.answers


@pytest.mark.slow
def test_the_bundles_own_test_photos_stay_sealed_and_a_check_records_no_split(
    catalog: Catalog, tmp_path: Path
) -> None:
    photos = catalog.photos().photos
    rows = rows_of(photos, ["test", *["train"] * 4] * 6)
    bundle = ModelBundle.load(write_toy_bundle(tmp_path / "model", rows=rows))
    report = check_folder(catalog, bundle)
    assert report.sealed == 6
    assert not {p.name for p in photos[::5]} & set(report.answers)
    known = catalog.feature_cache("0" * 64).load()
    assert not {p.sha256 for p in photos[::5]} & known.keys()
    assert not any(p.split for p in catalog.photos().photos)


@pytest.mark.slow
def test_damaged_caches_are_computed_again(catalog: Catalog, photo_folder: Path) -> None:
    expected = check_catalog(catalog)
    for chunk in (catalog.private / "features").rglob("*.npz"):
        data = bytearray(chunk.read_bytes())
        for i in range(0, min(len(data), 400), 7):
            data[i] ^= 0xFF
        chunk.write_bytes(bytes(data))
    with catalog._store.transaction():
        catalog._store.write(
            "UPDATE results SET value = substr(value, 1, length(value) / 2) WHERE name = 'label issues'"
        )
    assert check_catalog(catalog) == expected
    cache = FeatureCache(photo_folder, "net")
    (photo_folder / "features").write_text("in the way")
    cache.add({"0" * 64: np.zeros(3, np.float32)})
    assert len(cache.load()) == 1


def test_outputs_never_replace_a_photo(photo_folder: Path, tmp_path: Path) -> None:
    before = hash_folder(photo_folder)
    for args in (
        ("edits", "export", photo_folder, photo_folder / "red" / "000.png"),
        ("check", photo_folder, "--no-labels", "--html", photo_folder / "red" / "001.png"),
    ):
        done = call_fastclf(*args, cwd=tmp_path)
        assert done.returncode == 2
        assert "overwritten" in done.stderr
    assert hash_folder(photo_folder) == before


@pytest.mark.usefixtures("weights")
def test_a_frozen_networks_features_come_first_and_sealed_photos_are_not_looked_at(
    catalog: Catalog, tmp_path: Path
) -> None:
    photos = catalog.photos().photos
    rows = rows_of(photos, ["test", "train", "valid"] * 10)
    model = write_toy_bundle(tmp_path / "model", rows=rows, judged=True)
    found = check_folder(catalog, model, labels=False)
    assert found.features.source == "tf_efficientnet_lite0 with its published weights, frozen"
    assert found.features.out_of_sample is True
    cached = catalog.feature_cache(open_packaged(64).features_id).load()
    assert cached.keys() == {photo.sha256 for i, photo in enumerate(photos) if i % 3}
    assert not catalog.feature_cache("0" * 64).load()


@pytest.mark.usefixtures("weights")
def test_weights_that_are_not_the_published_ones_are_passed_over_with_a_note(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise WeightsError("The weights {path} are not the published ones.", path="w.pth")

    monkeypatch.setattr("fastclf.check.inputs.open_packaged", refuse)
    found = check_folder(catalog, labels=False)
    assert "descriptor" in found.features.source
    assert "The weights w.pth are not the published ones." in found.notes


def test_a_photo_whose_colour_profile_is_broken_is_listed(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(3):
            broken = b"no profile" if (label, i) == ("b", 1) else None
            draw_scene(f"{label}{i}").save(tmp_path / label / f"{i}.png", icc_profile=broken)
    report = check_folder(tmp_path, labels=False)
    [found] = [f for f in report.findings["quality"] if f.facts["kind"] == "colours"]
    assert found.files == ("b/1.png",)
    assert "its colour profile cannot be read, so its colours are taken as sRGB" in report.to_text()
