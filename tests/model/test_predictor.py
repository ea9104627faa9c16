from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastclf import Predictor
from fastclf.errors import BundleError, UnreadablePhotoError
from fastclf.model import PUBLISHED, Preprocess

from ..drawing import draw_photo, encode


@pytest.mark.parametrize("label", ["red", "green", "blue"])
def test_the_answer_is_the_colour(toy_model: Path, label: str) -> None:
    answer = Predictor(toy_model).predict(encode(draw_photo(label, 7), "PNG"))
    assert answer.label == label
    assert answer.probs is not None
    assert answer.probability == answer.probs[label] == max(answer.probs.values())
    assert sum(answer.probs.values()) == pytest.approx(1)
    assert next(iter(answer.probs)) == label
    assert answer.unfamiliar is False


def test_a_foreign_colour_is_called_unfamiliar(toy_model: Path) -> None:
    answer = Predictor(toy_model).predict(encode(Image.new("RGB", (20, 20), (230, 230, 20)), "PNG"))
    assert answer.unfamiliar is True


def test_many_photos_keep_their_order_around_a_broken_one(toy_model: Path, photo_folder: Path) -> None:
    good = [photo_folder / label / "000.png" for label in ("red", "green", "blue")]
    broken = photo_folder / "broken.jpg"
    broken.write_bytes(b"nothing")
    sources = [good[0], broken, good[1], *[good[2]] * 20, broken]
    answers = list(Predictor(toy_model).predict_many(sources, batch_size=4))
    assert [a.label for a in answers] == ["red", None, "green", *["blue"] * 20, None]
    assert [a.file for a in answers] == [str(s) for s in sources]
    failed = answers[1].to_dict()
    assert "broken.jpg" in failed.pop("error")
    assert failed.pop("file") == str(broken)
    assert set(failed.values()) == {None}


def test_a_batch_answers_like_single_photos(toy_model: Path) -> None:
    predictor = Predictor(toy_model)
    images = [draw_photo(label, i, (30 + i, 20)) for i, label in enumerate(["red", "blue", "green", "red"])]
    together = predictor.predict_images(images, ["x"] * 4)
    for image, answer in zip(images, together, strict=True):
        alone = predictor.predict_images([image], ["x"])[0]
        assert alone.probs == pytest.approx(answer.probs)


def test_classes_are_named_together_where_one_is_not_enough(toy_model: Path) -> None:
    from .test_bundle import edit

    between = encode(Image.new("RGB", (20, 20), (125, 125, 30)), "PNG")
    assert Predictor(toy_model).predict(between).label_set is None
    edit(toy_model, sets={"coverage": 0.9, "threshold": 0.2, "n": 40}, ood=None)
    answer = Predictor(toy_model).predict(between)
    assert answer.probs is not None
    assert answer.label_set == [name for name, p in answer.probs.items() if p >= 0.2]
    assert (len(answer.label_set), answer.set_coverage) == (2, 0.9)
    assert answer.to_dict()["label_set"] == answer.label_set


def test_no_set_is_promised_for_an_unfamiliar_photo(toy_model: Path) -> None:
    from .test_bundle import edit

    edit(toy_model, sets={"coverage": 0.95, "threshold": 0.0, "n": 40})
    foreign = Image.new("RGB", (20, 20), (230, 230, 20))
    odd, usual = Predictor(toy_model).predict_images([foreign, draw_photo("red", 7)], ["a", "b"])
    assert (odd.unfamiliar, odd.label_set, odd.set_coverage) == (True, None, None)
    assert (usual.unfamiliar, len(usual.label_set or [])) == (False, 3)


def test_temperature_softens_the_answer(toy_model: Path) -> None:
    from .test_bundle import edit

    photo = encode(draw_photo("red", 1), "PNG")
    before = Predictor(toy_model).predict(photo)
    edit(toy_model, temperature=3.0)
    after = Predictor(toy_model).predict(photo)
    assert before.label == after.label
    assert before.probability > after.probability
    logits = np.log(list(before.probs.values()))
    expected = np.exp(logits / 3) / np.exp(logits / 3).sum()
    assert list(after.probs.values()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_onnx_runtime_is_told_not_to_report_its_use() -> None:
    code = (
        "import os, sys; from fastclf import Predictor\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1' and 'onnxruntime' in sys.modules"
    )
    # this process has set the variable already; the child must do it by itself
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_one_unreadable_photo_raises(toy_model: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match=r"x\.jpg"):
        Predictor(toy_model).predict(b"nothing", "x.jpg")


def test_a_large_photo_is_decoded_alike_whichever_way_it_comes(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "large.jpg"
    coarse = draw_photo("red", 1, (23, 17)).resize((1200, 900), Image.Resampling.NEAREST)
    photo.write_bytes(encode(coarse, "JPEG", quality=90))
    predictor, seen = Predictor(toy_model), []
    run = predictor.run
    monkeypatch.setattr(predictor, "run", lambda batch: seen.append(batch.tobytes()) or run(batch))
    for least, size in ((0, (1200, 900)), (400, (600, 450)), (225, (300, 225)), (901, (1200, 900))):
        predictor.preprocess = replace(predictor.preprocess, least_side=least)
        assert predictor.preprocess.decode(photo).image.size == size
        predictor.predict(photo)
        list(predictor.predict_many([photo]))
        assert seen[-1] == seen[-2]
    assert len(set(seen)) == 3  # as many as there were sizes


def test_models_of_earlier_versions_and_of_fastai_see_photos_whole() -> None:
    ours = Preprocess.build(224, PUBLISHED)
    assert ours.least_side == 512
    assert Preprocess.build(64, "squish").least_side == 512  # what is kept of a photo is for people, too
    assert Preprocess.build(384, "squish").least_side == 768
    values = ours.to_dict()
    assert Preprocess.from_dict(values) == ours
    del values["least_side"]
    assert Preprocess.from_dict(values).least_side == 0
    with pytest.raises(BundleError, match="preprocess"):
        Preprocess.from_dict({**values, "least_side": -1})
