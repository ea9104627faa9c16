"""Whether "Why?" marks what the answer stands on: class activation beside occlusion.

The part `boxes` asks about photos whose thing was framed by hand: `--boxes` names a JSON file of
`{"class/photo.jpg": [left, top, right, bottom]}`, shares of the upright photo's width and height. The part
`mosaics` lays four photos of different classes together and asks why each of the four. Photos that the model
was trained on are left out; sealed test photos are looked at.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from fastclf import Predictor, explain_answer
from fastclf.metrics import compute_softmax
from fastclf.model import Explanation
from fastclf.photos import decode_photo

from .harness import Bench, Table, list_unlearned, tell

DATA = "MODEL=FOLDER: a model, and the photos that it was made from"
RANDOM, BARE = "chance, within what the network sees", "nothing covered; all covered"
COVERED, DRAWS, SIDE, MOSAICS = 0.2, 5, 400, 15
HEADS = (
    "way", "peak in the box", "heat in the box", "label's probability without the hottest fifth",
    "... with nothing else", "s",
)  # fmt: skip

Array = np.ndarray
Row = dict[str, float]


class WithoutMaps(Predictor):
    """A model that offers no maps, so that only occlusion is left."""

    @property
    def map_size(self) -> None:
        """Nothing: as of a network that pools no maps."""
        return None


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--boxes", type=Path, help="JSON file of boxes, for the part `boxes`")


@dataclass(frozen=True)
class Asked:
    """Explanations of one label by each method, with the seconds that they took."""

    found: dict[str, Explanation]
    seconds: dict[str, float]

    @classmethod
    def ask(cls, predictors: list[Predictor], image: Image.Image, label: str | None = None) -> Asked:
        """Explain an answer, or one label, with each predictor."""
        found, seconds = {}, {}
        for predictor in predictors:
            started = time.perf_counter()
            explanation = explain_answer(predictor, image, label)
            found[explanation.method] = explanation
            seconds[explanation.method] = time.perf_counter() - started
        return cls(found, seconds)


def measure_boxes(bench: Bench) -> list[Table]:
    """Ask why each framed photo got its label, and see where the heat lies and what covering it costs."""
    if bench.options.boxes is None:
        raise SystemExit("Name the file of boxes with --boxes, or choose --parts mosaics.")
    boxes = json.loads(bench.options.boxes.read_text())
    tables = []
    for model, folder in bench.models:
        predictors = [Predictor(model), WithoutMaps(model)]
        framed = [path for path in list_unlearned(model, folder) if _name(path, folder) in boxes]
        rows: dict[str, list[Row]] = defaultdict(list)
        for number, path in enumerate(framed[: bench.count(len(framed))]):
            for way, row in judge_photo(predictors, path, boxes[_name(path, folder)], number).items():
                rows[way].append(row)
        area = np.mean([row["area"] for row in rows[RANDOM]])
        title = f"{len(rows[RANDOM])} photos of {folder.name}, of which the boxes cover {area:.1%}"
        tables.append(tabulate(title, rows))
    return tables


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def judge_photo(predictors: list[Predictor], path: Path, box: list[float], seed: int) -> dict[str, Row]:
    """Return the figures of one photo, by method and for chance."""
    tell(f"  {path.name}")
    image = decode_photo(path).image
    asked = Asked.ask(predictors, image)
    label = next(iter(asked.found.values())).label
    photo = predictors[0].preprocess(image)
    inside = mark_box(box, image.size)
    seen = mark_box(list(predictors[0].preprocess.find_seen(image.size)), image.size)
    rows = {}
    for way, explanation in asked.found.items():
        share = explanation.spread(image.size)
        hottest = find_hottest(explanation.heat, photo.shape[1:])
        rows[way] = {
            "peak": float(inside.ravel()[share.argmax()]),
            "heat": float(share[inside].sum() / max(share.sum(), 1e-9)),
            "seconds": asked.seconds[way],
            **cover(predictors[0], photo, [hottest], label),
        }
    rng = np.random.default_rng(seed)
    drawn = [find_hottest(rng.normal(size=(7, 7)), photo.shape[1:]) for _ in range(DRAWS)]
    rows[RANDOM] = {
        **dict.fromkeys(("peak", "heat"), float(inside[seen].mean())), "area": float(inside.mean()),
        **cover(predictors[0], photo, drawn, label),
    }  # fmt: skip
    rows[BARE] = cover(predictors[0], photo, [np.zeros(photo.shape[1:], bool)], label)
    return rows


def mark_box(box: list[float], size: tuple[int, int]) -> Array:
    """Return (height, width), true within a box of shares."""
    x, y = ((np.arange(side) + 0.5) / side for side in size)
    return ((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0]) & (x <= box[2]))


def find_hottest(heat: Array, size: tuple[int, ...]) -> Array:
    """Return which fifth of the network's input is the hottest."""
    enlarged = Image.fromarray(heat.astype(np.float32)).resize(size[::-1], Image.Resampling.BICUBIC)
    order = np.asarray(enlarged).ravel().argsort(kind="stable")
    hottest = np.zeros(order.size, bool)
    hottest[order[-round(COVERED * order.size) :]] = True
    return hottest.reshape(size)


def cover(predictor: Predictor, photo: Array, masks: list[Array], label: str) -> Row:
    """Return the label's mean probability with each mask blurred away, and with all else blurred away.

    A blur is neither method's own patch.
    """
    pixels = Image.fromarray((photo.transpose(1, 2, 0) * 255).round().astype(np.uint8))
    blurred = pixels.filter(ImageFilter.GaussianBlur(photo.shape[1] / 8))
    plain = np.asarray(blurred, np.float32).transpose(2, 0, 1) / 255
    both = [np.where(mask, plain, photo) for mask in masks] + [np.where(m, photo, plain) for m in masks]
    logits = predictor.run(np.stack(both).astype(np.float32))[0]
    probs = compute_softmax(logits, predictor.bundle.temperature)[:, predictor.vocab.index(label)]
    return {"without": float(probs[: len(masks)].mean()), "alone": float(probs[len(masks) :].mean())}


def tabulate(title: str, rows: dict[str, list[Row]]) -> Table:
    """Return a row a way: means, and the median of the seconds."""
    body = []
    for way, found in rows.items():
        got = {key: [row[key] for row in found] for key in found[0]}
        shares = [f"{np.mean(got[key]):.1%}" if key in got else "-" for key in ("peak", "heat")]
        probs = [f"{np.mean(got[key]):.3f}" for key in ("without", "alone")]
        seconds = float(np.median(got.get("seconds", [0])))
        body.append([way, *shares, *probs, f"{seconds:.3f}" if seconds else "-"])
    return Table(title, HEADS, body, dict(rows))


def measure_mosaics(bench: Bench) -> list[Table]:
    """Lay four photos of different classes together; why each of the four should point at its photo."""
    tables = []
    for model, folder in bench.models:
        predictors = [Predictor(model), WithoutMaps(model)]
        hits: dict[str, list[Any]] = defaultdict(list)
        for labels, mosaic in draw_mosaics(list_unlearned(model, folder), bench.count(MOSAICS)):
            for place, label in enumerate(labels):
                for way, explanation in Asked.ask(predictors, mosaic, label).found.items():
                    hits[way].append(_find_place(explanation, place))
        body = [[way, f"{m[0]:.1%}", f"{m[1]:.1%}"] for way, h in hits.items() for m in [np.mean(h, axis=0)]]
        n = len(next(iter(hits.values())))
        heads = ("way", "peak in the label's photo", "heat in it")
        tables.append(Table(f"{n} labels of {n // 4} mosaics", heads, [*body, ["chance", "25.0%", "25.0%"]]))
    return tables


def draw_mosaics(photos: list[Path], n: int) -> Iterator[tuple[list[str], Image.Image]]:
    """Yield four classes, and a picture of a photo of each: above left, above right, below left and right."""
    rng = np.random.default_rng(0)
    classes = sorted({path.parent.name for path in photos})
    for number in range(n):
        tell(f"  mosaic {number + 1} of {n}")
        labels = [str(name) for name in rng.permutation(classes)[:4]]
        mosaic = Image.new("RGB", (2 * SIDE, 2 * SIDE))
        for place, label in enumerate(labels):
            mine = [path for path in photos if path.parent.name == label]
            image = decode_photo(mine[int(rng.integers(len(mine)))]).image
            mosaic.paste(ImageOps.fit(image, (SIDE, SIDE)), (place % 2 * SIDE, place // 2 * SIDE))
        yield labels, mosaic


def _find_place(explanation: Explanation, place: int) -> tuple[float, float]:
    """Return whether the peak lies in one of the four photos, and how much of the heat does."""
    share = explanation.spread((2 * SIDE, 2 * SIDE))
    y, x = np.unravel_index(share.argmax(), share.shape)
    four = share.reshape(2, SIDE, 2, SIDE).sum((1, 3)).ravel()
    return float(y // SIDE * 2 + x // SIDE == place), float(four[place] / max(four.sum(), 1e-9))


PARTS = {"boxes": measure_boxes, "mosaics": measure_mosaics}
