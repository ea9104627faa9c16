"""What a page without a server computes in JavaScript is what Python computes: resizing, head, sets, detector, heat."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image

import hatch_build
from fastclf.dashboard.site import shortens_columns_first
from fastclf.dashboard.site.pack import write_pack
from fastclf.metrics import compute_softmax, find_sets
from fastclf.model import Explanation, JointDetector, MahalanobisDetector, Preprocess, draw_picture
from fastclf.model.explain import _compute_log_odds, _list_windows, _scale, compute_activation

SCRIPT = Path(__file__).with_name("site_core.mjs")
SIZES = [
    (64, 64),
    (31, 77),
    (1, 7),
    (224, 300),
    (300, 41),
    (97, 410),
    (5, 260),
    (260, 3),
    (33, 32),
    (120, 1),
    (60, 78),
    (60, 90),
]
VOCAB = ["7", "10", "b", "1"]
SETS = 0.7  # some answers have no class above it


def compute(cases: list[dict[str, Any]]) -> list[Any]:
    """Let node compute all cases in one process."""
    [node], _ = hatch_build.find_node()
    done = subprocess.run(
        [node, SCRIPT], input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pack(data: bytes) -> str:
    return base64.b64encode(data).decode()


def show(image: Image.Image) -> dict[str, Any]:
    return {"data": pack(image.tobytes()), "width": image.width, "height": image.height}


def draw_noise(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def list_preprocesses() -> list[Preprocess]:
    pads = [("reflection", "bilinear"), ("border", "bicubic"), ("zeros", "bilinear")]
    return [
        Preprocess.build(48, "published"),
        Preprocess.build(40, "squish"),
        Preprocess.build(96, "crop"),
        Preprocess((3, 24, 50), (31, 60), "squish", interpolation="bicubic"),
        *(Preprocess((3, 40, 56), (40, 56), "pad", pad, interpolation=way) for pad, way in pads),
    ]


@pytest.mark.slow
def test_resized_pixels_are_pillows_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    tried = [(made, draw_noise(rng, *size)) for made in list_preprocesses() for size in SIZES]
    # a canvas so large that the photo is reduced first
    tried.append((Preprocess((3, 16, 16), (16, 16), "pad", "zeros"), draw_noise(rng, 6400, 2)))
    first = shortens_columns_first()
    found = compute(
        [
            {"what": "resize", "preprocess": made.to_dict(), "tallFirst": first, "photo": show(i)}
            for made, i in tried
        ]
    )
    for (made, image), result in zip(tried, found, strict=True):
        case = (made, image.size)
        assert result["data"] == pack(made.resize(image).tobytes()), case
        assert result["planes"] == pack(made(image).tobytes()), case
        assert result["seen"] == pytest.approx(made.find_seen(image.size)), case


def test_both_orders_of_resizing_are_known() -> None:
    photo = draw_noise(np.random.default_rng(1), 31, 97)
    made, way = Preprocess.build(17, "squish"), Image.Resampling.BILINEAR
    cases = [
        {"what": "resize", "preprocess": made.to_dict(), "tallFirst": f, "photo": show(photo)}
        for f in (True, False)
    ]
    columns, rows = (result["data"] for result in compute(cases))
    assert columns == pack(photo.resize((31, 17), way).resize((17, 17), way).tobytes())
    assert rows == pack(photo.resize((17, 97), way).resize((17, 17), way).tobytes())
    assert columns != rows


def test_the_order_is_found_by_trying_not_by_a_version() -> None:
    assert shortens_columns_first() == (int(PIL.__version__.split(".")[0]) >= 13)


def test_a_reduced_photo_is_pillows() -> None:
    rng = np.random.default_rng(2)
    tried = [(draw_noise(rng, *size), factor) for size in SIZES for factor in (2, 3, 8)]
    found = compute([{"what": "reduce", "photo": show(image), "factor": factor} for image, factor in tried])
    for (image, factor), result in zip(tried, found, strict=True):
        assert result == show(image.reduce(factor)), (image.size, factor)


@pytest.mark.slow
def test_a_large_jpeg_is_reduced_as_it_is_decoded() -> None:
    tried = [(made.least_side, size) for made in (Preprocess.build(224, "crop"), Preprocess.build(400, "squish"))
             for size in ((500, 700), (1023, 3000), (1024, 1025), (2047, 2500), (4096, 4200), (90, 900))]  # fmt: skip
    found = compute(
        [{"what": "reduction", "width": w, "height": h, "least": least} for least, (w, h) in tried]
    )
    for (least, (w, h)), factor in zip(tried, found, strict=True):
        file = io.BytesIO()
        Image.new("RGB", (w, h)).save(file, "JPEG")
        decoded = Preprocess((3, 8, 8), (8, 8), least_side=least).decode(file.getvalue()).image
        assert decoded.size == (-(-w // factor), -(-h // factor)), (least, w, h)


def test_answers_sets_and_strangeness_are_pythons() -> None:
    rng = np.random.default_rng(3)
    width, k = 24, len(VOCAB)
    targets = np.repeat(range(k), 30)
    features = (rng.normal(size=(120, width)) + np.eye(k, width)[targets] * 3).astype(np.float32)
    head = (rng.normal(size=(k, width)).astype(np.float32), rng.normal(size=k).astype(np.float32))
    train, valid = features[::2], features[1::2]
    detectors = [
        MahalanobisDetector.fit(train, valid, targets[::2]),
        JointDetector.fit(train, valid, targets[::2], head),
        None,
    ]
    asked = np.concatenate(
        [valid, np.zeros((1, width), np.float32), 50 * np.abs(rng.normal(size=(9, width))).astype(np.float32)]
    )
    found = compute([describe_case(head, detector, asked) for detector in detectors])
    for detector, answers in zip(detectors, found, strict=True):
        check_answers(head, detector, asked, answers)


def test_a_score_that_cannot_be_computed_is_far() -> None:
    rng = np.random.default_rng(8)
    train, broken = rng.random((40, 6)).astype(np.float32), np.ones((2, 6), np.float32)
    broken[0, 1], broken[1, 2] = np.nan, np.inf
    detector = MahalanobisDetector.fit(train[::2], train[1::2])
    head = (np.zeros((4, 6), np.float32), np.zeros(4, np.float32))
    [answers] = compute([describe_case(head, detector, broken)])
    assert [answer["ood_score"] for answer in answers] == detector.ood_score(broken).tolist() == [1e9, 1e9]


def describe_case(head: tuple[Any, Any], detector: Any, asked: Any) -> dict[str, Any]:
    arrays = {"head.weight": head[0], "head.bias": head[1], "features": asked}
    ood = None
    if detector is not None:
        values = {name: np.asarray(value) for name, value in detector.to_arrays().items()}
        ood = {"kind": detector.kind, "threshold": detector.threshold_, "rest": float(values.pop("rest"))}
        arrays |= {
            f"ood.{n}": v.astype(np.float64 if n in ("usual", "spread") else np.float32)
            for n, v in values.items()
        }
    knows = {"vocab": VOCAB, "temperature": 1.7, "sets": {"coverage": 0.9, "threshold": SETS}}
    return {
        "what": "describe",
        "knows": knows,
        "packed": pack(write_pack({}, arrays)),
        "ood": ood,
        "photos": len(asked),
    }


def check_answers(head: tuple[Any, Any], detector: Any, asked: Any, answers: list[dict[str, Any]]) -> None:
    logits = asked.astype(np.float64) @ head[0].T.astype(np.float64) + head[1]
    probs = compute_softmax(logits, 1.7)
    scores = [None] * len(asked) if detector is None else detector.ood_score(asked)
    flags = [None if s is None else bool(s > detector.threshold_) for s in scores]
    assert detector is None or {True, False} <= set(flags)
    assert (probs.max(1) < SETS).any()
    for p, there, score, flag, answer in zip(
        probs, find_sets(probs, SETS), scores, flags, answers, strict=True
    ):
        ranked = np.argsort(-p, kind="stable")
        assert [name for name, _ in answer["probs"]] == [VOCAB[i] for i in ranked]
        assert [share for _, share in answer["probs"]] == pytest.approx(p[ranked], abs=1e-9)
        assert (answer["label"], answer["unfamiliar"]) == (VOCAB[ranked[0]], flag)
        assert answer["probability"] == pytest.approx(p.max(), abs=1e-9)
        assert answer["ood_score"] == (None if score is None else pytest.approx(score, rel=1e-3, abs=2e-3))
        assert answer["label_set"] == (None if flag else [VOCAB[i] for i in ranked if there[i]])
        assert answer["set_coverage"] == (None if flag else 0.9)


def test_a_class_activation_is_pythons_and_refused_where_it_is_none() -> None:
    rng = np.random.default_rng(4)
    maps = rng.normal(size=(6, 5, 4)).astype(np.float32)
    weight, bias = rng.normal(size=(3, 6)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    logits = maps.mean((1, 2)) @ weight.T + bias
    case = {
        "what": "activate",
        "packed": pack(write_pack({}, {"weight": weight, "bias": bias, "maps": maps})),
        "k": 1,
    }
    found, none = compute([{**case, "logits": given.tolist()} for given in (logits, logits + 0.5)])
    activation = compute_activation(maps.astype(np.float64), weight, bias)
    assert found == pytest.approx(_scale(activation[1] - activation.mean(0)).ravel(), abs=1e-6)
    assert none is None


@pytest.mark.slow
def test_the_picture_of_an_explanation_is_pythons() -> None:
    rng = np.random.default_rng(5)
    boxes = [(0, 0, 1, 1), (0.2, 0, 0.8, 1), (-0.3, 0, 1.3, 1), (0.1, 0.1, 0.9, 0.9)]
    heats = [
        rng.uniform(-1, 1, (7, 7)),
        rng.uniform(-1, 0.3, (8, 11)),
        np.eye(4),
        -np.ones((4, 4)),
        np.ones((5, 5)),
    ]
    tried = [Explanation("a", "occlusion", np.float32(heat), box) for heat in heats for box in boxes]
    sizes = [(192, 256), (256, 60), (30, 30), (330, 310)]
    cases = [(seen, sizes[i % len(sizes)]) for i, seen in enumerate(tried)]
    found = compute([heat_case(seen, size) for seen, size in cases])
    for (seen, size), result in zip(cases, found, strict=True):
        assert np.abs(np.ravel(result["share"]) - seen.spread(size).ravel()).max() <= 1e-5
        assert result["place"] == (None if seen.find_place() is None else list(seen.find_place()))
        with Image.open(io.BytesIO(seen.render(size))) as image:
            expected = np.asarray(image).reshape(-1, 4).astype(int)
        drawn = np.frombuffer(base64.b64decode(result["pixels"]), np.uint8).reshape(-1, 4)
        other = np.abs(drawn - expected).max(1) > 1
        assert other.mean() <= 1e-3, (size, other.sum())  # a place on the very line


def heat_case(seen: Explanation, size: tuple[int, int]) -> dict[str, Any]:
    rows, columns = seen.heat.shape
    explained = {"heat": seen.heat.ravel().tolist(), "rows": rows, "columns": columns, "box": seen.box}
    return {"what": "heat", "explained": explained, "width": size[0], "height": size[1]}


def test_occlusion_covers_the_same_places_and_measures_the_same() -> None:
    sizes = [(224, 224), (16, 16), (40, 160), (5, 3), (288, 100)]
    rng = np.random.default_rng(6)
    photo, logits = rng.random((3, 7, 6)).astype(np.float32), rng.normal(size=(1, 4)) * 30

    class Fixed:
        bundle = type("B", (), {"temperature": 1.3})
        run = staticmethod(lambda batch: (logits, None))

    windows = [{"what": "windows", "height": h, "width": w} for h, w in sizes]
    odds = {"what": "odds", "logits": logits[0].tolist(), "temperature": 1.3, "k": 2}
    *found, value, plain = compute([*windows, odds, {"what": "plain", "photo": pack(photo.tobytes())}])
    for (h, w), result in zip(sizes, found, strict=True):
        spans, shape = _list_windows(h, w)
        assert (result["rows"], result["columns"]) == shape
        assert result["windows"] == [[[y.start, y.stop], [x.start, x.stop]] for y, x in spans]
    assert value == pytest.approx(_compute_log_odds(Fixed, None, 2)[0])
    assert plain == pytest.approx(np.median(photo, axis=(1, 2)))


def test_hashes_and_the_drawn_picture_are_the_same() -> None:
    data = np.random.default_rng(7).bytes(70_000)
    lengths = (0, 1, 55, 56, 63, 64, 65, 70_000)
    *hashes, drawn = compute(
        [*({"what": "hash", "data": pack(data[:n])} for n in lengths), {"what": "drawn"}]
    )
    assert hashes == [hashlib.sha256(data[:n]).hexdigest() for n in lengths]
    assert drawn == show(draw_picture())
