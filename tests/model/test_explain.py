"""Why: both methods find what the answer stands on, and the overlay lies where the network looked."""

from __future__ import annotations

import io
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fastclf import Predictor
from fastclf.errors import StoppedError, UsageError
from fastclf.model import Explanation, Preprocess, explain_answer
from fastclf.model.explain import ACTIVATION, OCCLUSION, compute_activation

from ..drawing import COLOURS
from ..toy import add_maps

SPOT = (18, 6, 29, 17)


@pytest.fixture
def mapped_model(toy_model: Path) -> Predictor:
    return Predictor(add_maps(toy_model, side=32, places=8))


@pytest.fixture
def plain_model(toy_model: Path) -> Predictor:
    return Predictor(toy_model)


def draw_spot(label: str, size: tuple[int, int] = (32, 32), spot: tuple[int, ...] = SPOT) -> Image.Image:
    """A spot in the class's colour on grey ground."""
    image = Image.new("RGB", size, (120, 120, 120))
    ImageDraw.Draw(image).rectangle(spot, fill=COLOURS[label])
    return image


def mark(size: tuple[int, int], spot: tuple[int, ...] = SPOT) -> np.ndarray:
    left, top, right, bottom = spot
    there = np.zeros(size[::-1], bool)
    there[top : bottom + 1, left : right + 1] = True
    return there


def enlarge(heat: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(heat).resize((side, side), Image.Resampling.BILINEAR))


def read_alpha(explanation: Explanation, size: tuple[int, int]) -> np.ndarray:
    with Image.open(io.BytesIO(explanation.render(size))) as overlay:
        assert (overlay.mode, overlay.size, overlay.format) == ("RGBA", size, "PNG")
        return np.asarray(overlay)[..., 3]


def test_the_mean_of_an_activation_is_the_logit(mapped_model: Predictor, rng: np.random.Generator) -> None:
    batch = mapped_model.preprocess.batch([draw_spot("red"), draw_spot("blue")])
    logits, maps = mapped_model.run_maps(batch)
    weight, bias = mapped_model.bundle.head
    for row, of_photo in zip(logits, maps, strict=True):
        assert compute_activation(of_photo, weight, bias).mean((1, 2)) == pytest.approx(row, abs=1e-5)
    maps, weight, bias = rng.normal(size=(5, 3, 4)), rng.normal(size=(2, 5)), rng.normal(size=2)
    expected = maps.mean((1, 2)) @ weight.T + bias
    assert compute_activation(maps, weight, bias).mean((1, 2)) == pytest.approx(expected)


@pytest.mark.parametrize("label", ["red", "green", "blue"])
def test_both_methods_find_the_spot_and_agree(mapped_model: Predictor, label: str, tmp_path: Path) -> None:
    from ..toy import write_toy_bundle

    coarse = Predictor(add_maps(write_toy_bundle(tmp_path / "coarse"), side=32, places=2))
    exact = explain_answer(mapped_model, draw_spot(label))
    tried = explain_answer(coarse, draw_spot(label))
    assert (exact.label, exact.method) == (tried.label, tried.method.replace(OCCLUSION, ACTIVATION))
    assert (exact.method, tried.method) == (ACTIVATION, OCCLUSION)
    there = mark((32, 32))
    for explanation in (exact, tried):
        heat = enlarge(explanation.heat, 32)
        assert heat[there].mean() > 5 * abs(heat[~there].mean())
        assert there.ravel()[heat.argmax()]
    assert np.corrcoef(enlarge(exact.heat, 32).ravel(), enlarge(tried.heat, 32).ravel())[0, 1] > 0.8


def test_maps_that_cannot_tell_places_give_way_to_occlusion(toy_model: Path) -> None:
    for places, method in ((1, OCCLUSION), (2, OCCLUSION), (4, ACTIVATION)):
        assert explain_answer(Predictor(add_maps(toy_model, 32, places)), draw_spot("red")).method == method


def test_maps_whose_mean_is_not_what_the_head_sees_are_not_called_exact(mapped_model: Predictor) -> None:
    weight, bias = mapped_model.bundle.head
    mapped_model.bundle.__dict__["head"] = (weight * 2, bias)
    assert explain_answer(mapped_model, draw_spot("red")).method == OCCLUSION


def test_ordinary_answers_do_not_ask_for_the_maps(
    mapped_model: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Mock(wraps=mapped_model.session)
    monkeypatch.setattr(mapped_model, "_session", watched)
    mapped_model.predict_images([draw_spot("red")], ["x"])
    [answered] = watched.run.call_args_list
    assert "maps" not in answered.args[0]
    explain_answer(mapped_model, draw_spot("red"))
    assert any("maps" in call.args[0] for call in watched.run.call_args_list)


def test_another_label_is_explained_and_an_unknown_one_is_refused(plain_model: Predictor) -> None:
    photo = draw_spot("red")
    ImageDraw.Draw(photo).rectangle((2, 20, 12, 29), fill=COLOURS["blue"])
    heat = enlarge(explain_answer(plain_model, photo, "blue").heat, 32)
    assert heat[20:29, 2:12].mean() > 0 > heat[6:17, 18:29].mean()
    with pytest.raises(UsageError, match=r"'purple'.*blue, green, red"):
        explain_answer(plain_model, photo, "purple")


def test_heat_stays_within_its_bounds_even_where_nothing_shows(plain_model: Predictor) -> None:
    for photo in (draw_spot("red"), Image.new("RGB", (50, 20), (120, 120, 120))):
        explanation = explain_answer(plain_model, photo)
        assert explanation.heat.dtype == np.float32
        assert np.abs(explanation.heat).max() <= 1
        assert np.isfinite(explanation.heat).all()
    assert not read_alpha(explanation, (50, 20)).any()


def test_occlusion_tells_its_progress_and_stops_between_batches(plain_model: Predictor) -> None:
    told: list[tuple[int, int]] = []
    explain_answer(plain_model, draw_spot("red"), progress=lambda *done: told.append(done))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) > 3
    assert told[-1][0] == told[-1][1] == {n for _, n in told}.pop()
    told.clear()
    with pytest.raises(StoppedError):
        explain_answer(
            plain_model, draw_spot("red"), progress=lambda *d: told.append(d), stop=lambda: len(told) == 2
        )
    assert len(told) == 2


@pytest.mark.parametrize("size", [(300, 200), (64, 64), (31, 90)])
def test_the_overlay_is_as_large_as_the_photo_and_shows_only_what_speaks_for_it(
    plain_model: Predictor, size: tuple[int, int]
) -> None:
    alpha = read_alpha(explain_answer(plain_model, draw_spot("red")), size)
    scaled = tuple(round(v * size[i % 2] / 32) for i, v in enumerate(SPOT))
    there = mark(size, scaled)
    assert alpha[there].mean() > 60
    corner = alpha[-size[1] // 4 :, : size[0] // 4]
    assert not corner.any()


def test_the_strongest_place_is_told_in_the_whole_photo() -> None:
    heat = np.full((4, 4), -0.5, np.float32)
    heat[1, 3] = 1
    share = Explanation("a", ACTIVATION, heat, (0.25, 0, 0.75, 1)).spread((200, 100))
    assert share.shape == (100, 200)
    assert (share.min(), share.max()) == (0, 1)
    y, x = np.unravel_index(share.argmax(), share.shape)
    assert 25 <= y < 50
    assert 125 <= x < 150
    assert not Explanation("a", ACTIVATION, -abs(heat), (0, 0, 1, 1)).spread((20, 10)).any()


def test_what_speaks_against_a_label_is_transparent() -> None:
    heat = np.array([[1, -1], [0, -0.3]], np.float32)
    alpha = read_alpha(Explanation("a", OCCLUSION, heat, (0, 0, 1, 1)), (80, 80))
    assert alpha[:30, :30].mean() > 60
    assert not alpha[:, 60:].any()
    assert not read_alpha(Explanation("a", OCCLUSION, -abs(heat), (0, 0, 1, 1)), (80, 80)).any()


def test_the_line_around_the_strongest_place_shows_on_light_and_on_dark() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[3:5, 3:5] = 1
    with Image.open(io.BytesIO(Explanation("a", OCCLUSION, heat, (0, 0, 1, 1)).render((200, 200)))) as png:
        for ground in ("white", "black", (200, 160, 130), (60, 110, 60)):
            base = Image.new("RGBA", (200, 200), ground)
            base.alpha_composite(png)
            light = np.asarray(base.convert("L"), int)[100]
            assert np.abs(np.diff(light)).max() > 100, ground


@pytest.mark.parametrize(
    ("preprocess", "size", "box"),
    [
        (Preprocess((3, 64, 64), (64, 64), "squish"), (300, 100), (0, 0, 1, 1)),
        (Preprocess((3, 64, 64), (64, 64), "crop"), (200, 100), (0.25, 0, 0.75, 1)),
        (Preprocess((3, 64, 64), (64, 64), "crop"), (100, 400), (0, 0.375, 1, 0.625)),
        (Preprocess((3, 64, 64), (64, 64), "pad"), (200, 100), (0, -0.5, 1, 1.5)),
        (Preprocess((3, 50, 50), (100, 100), "squish"), (60, 20), (0.25, 0.25, 0.75, 0.75)),
        (Preprocess((3, 50, 50), (100, 100), "crop"), (200, 100), (0.375, 0.25, 0.625, 0.75)),
        (Preprocess((3, 64, 64), (64, 64), "pad"), (300, 900), (-1, 0, 2, 1)),
    ],
)
def test_the_part_that_the_network_sees_is_where_its_pixels_come_from(
    preprocess: Preprocess, size: tuple[int, int], box: tuple[float, ...]
) -> None:
    assert preprocess.find_seen(size) == pytest.approx(box, abs=0.01)
    # a ramp from left to right, and one from top to bottom, show where the pixels were
    x = np.tile(np.linspace(0, 255, size[0]), (size[1], 1))
    y = np.tile(np.linspace(0, 255, size[1])[:, None], (1, size[0]))
    seen = preprocess(Image.fromarray(np.dstack([x, y, x]).astype(np.uint8)))
    middle = seen[:2, seen.shape[1] // 2, seen.shape[2] // 2]
    assert middle == pytest.approx([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], abs=0.03)
    if preprocess.method != "pad":
        assert seen[0, 5, 0] == pytest.approx(max(box[0], 0), abs=0.03)
        assert seen[1, -1, 5] == pytest.approx(min(box[3], 1), abs=0.03)


def test_the_overlay_of_a_cropped_photo_covers_only_what_was_seen() -> None:
    seen = Explanation("a", OCCLUSION, np.ones((4, 4), np.float32), (0.25, 0, 0.75, 1))
    alpha = read_alpha(seen, (200, 100))
    assert alpha[:, 60:140].min() > 60
    assert not alpha[:, :45].any()
    assert not alpha[:, 155:].any()
    padded = np.zeros((4, 4), np.float32)
    padded[0] = padded[3] = 1
    outside = Explanation("a", OCCLUSION, padded, (0, -0.5, 1, 1.5))
    assert not read_alpha(outside, (200, 100))[40:60].any()


@pytest.mark.parametrize(
    ("rows", "columns", "box", "place"),
    [
        (slice(0, 2), slice(0, 2), (0, 0, 1, 1), (0, 0)),
        (slice(3, 5), slice(6, 8), (0, 0, 1, 1), (1, 2)),
        (slice(6, 8), slice(3, 5), (0, 0, 1, 1), (2, 1)),
        # the network saw the right half alone
        (slice(0, 2), slice(0, 2), (0.5, 0, 1, 1), (0, 1)),
        (slice(0, 8), slice(0, 8), (0, 0, 1, 1), None),
        (slice(0, 0), slice(0, 0), (0, 0, 1, 1), None),
    ],
)
def test_where_the_marks_are_is_told_by_thirds(
    rows: slice, columns: slice, box: tuple[float, ...], place: tuple[int, int] | None
) -> None:
    heat = np.full((8, 8), -0.1, np.float32)
    heat[rows, columns] = 1
    assert Explanation("a", ACTIVATION, heat, box).find_place() == place
