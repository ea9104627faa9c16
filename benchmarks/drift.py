"""How often `fastclf drift` raises an alarm: among equal draws of photos, and where a change is planted.

A head is fitted on photos that stay the reference; new ones are 200 of the others. It looks at the sealed
test photos: use copies.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from fastclf.catalog import Catalog
from fastclf.evaluation.drift import CLASSES, FEATURES, LEVEL, UNFAMILIAR, Reference, score_by_folds
from fastclf.head import fit_head
from fastclf.issues import draw_folds
from fastclf.metrics import (
    compare_features,
    compare_shares,
    compare_tails,
    compute_confusion,
    wilson_interval,
)
from fastclf.model import ModelBundle, Predictor, extract_features
from fastclf.photos import MAX_FOLDER_BYTES, decode_photo

from .harness import Bench, Table, judge, tell

DATA = "MODEL=FOLDER for each model: the bundle, whose body is frozen, and the photos that it was trained on"
Array = Any
N, HELD, MOST = 200, 300, 800
CHECKS = (UNFAMILIAR, CLASSES, FEATURES)
STRENGTH = 0.3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the number of draws."""
    parser.add_argument("--redraws", type=int, default=200, help="equal draws (default 200)")
    parser.add_argument("--draws", type=int, default=10, help="draws with a planted change (default 10)")


@dataclass
class Ground:
    """Features, targets and groups of a folder's photos, and what reads more of them."""

    name: str
    model: Path
    paths: list[Path]
    features: Array
    targets: Array
    classes: int

    def make_reference(self, rows: Array) -> Reference:
        """Return the photos of these rows as the reference."""
        return Reference(self.features[rows], self.targets[rows], rows.astype(str), fresh=True)


def read_grounds(bench: Bench) -> list[Ground]:
    """Return the features of each model's photos; of many, 800 are drawn."""
    grounds = []
    for model, folder in bench.models:
        bundle = ModelBundle.load(model)
        with Catalog(folder) as catalog:
            catalog.scan()
            photos = [p for p in catalog.photos().photos if p.label in bundle.vocab]
            rng = np.random.default_rng(0)
            chosen = sorted(
                rng.permutation(len(photos))[: bench.count(MOST) if bench.options.quick else MOST]
            )
            photos = [photos[i] for i in chosen]
            features = extract_features(catalog.feature_cache(bundle.manifest.features_id), photos, bundle)
        targets = np.array([bundle.vocab.index(p.label) for p in photos])
        grounds.append(
            Ground(folder.name, model, [p.path for p in photos], features, targets, len(bundle.vocab))
        )
    return grounds


def answer_out_of_fold(features: Array, targets: Array) -> Array:
    """Return what heads answer that were fitted on four fifths without the photo."""
    folds = draw_folds(targets, [str(i) for i in range(len(targets))], 5, 0)
    answers = np.empty(len(targets), int)
    for k in range(5):
        head = fit_head(features[folds != k], targets[folds != k], STRENGTH, exactly=False)
        answers[folds == k] = head.compute_logits(features[folds == k]).argmax(1)
    return answers


def find_p_values(ground: Ground, rows: Array, own: Array, new: Array, answers: Array) -> dict[str, float]:
    """Return what each test finds for (N, D) new features and their answers.

    The photos of `rows` are the reference, a fifth of which stand for validation photos; `own` are answers
    about all of the folder's photos by heads that did not learn from them.
    """
    reference = ground.make_reference(rows)
    some = np.random.default_rng(1).permutation(rows)[: len(rows) // 5]
    confusion = compute_confusion(own[some], ground.targets[some], ground.classes)
    named = np.bincount(answers, minlength=ground.classes)
    training = np.bincount(reference.targets, minlength=ground.classes)
    return {
        UNFAMILIAR: compare_tails(score_by_folds(reference, new)),
        CLASSES: compare_shares(named, training, confusion).p,
        FEATURES: compare_features(reference.features, new).p,
    }


def measure_equal(bench: Bench) -> list[Table]:
    """Count alarms among draws of the same photos."""
    body, numbers = [], []
    for ground in read_grounds(bench):
        rng, found = np.random.default_rng(2), []
        own = answer_out_of_fold(ground.features, ground.targets)
        for i in range(bench.count(bench.options.redraws)):
            order = rng.permutation(len(ground.features))
            new = order[:N]
            found.append(find_p_values(ground, order[N:], own, ground.features[new], own[new]))
            if i % 20 == 19:
                tell(f"{ground.name}: {i + 1} draws, {_count_any(found)} alarms")
        alarms = {test: sum(p[test] < LEVEL for p in found) for test in CHECKS}
        either, n = _count_any(found), len(found)
        low, high = wilson_interval(either, n)
        cells = [f"{alarms[test]}" for test in CHECKS]
        verdict = judge(max(either, *alarms.values()) <= 0.03 * n, "≤ 3 %")
        body.append([ground.name, f"{n}", *cells, f"{either} ({low:.1%} to {high:.1%})", verdict])
        numbers.append({"folder": ground.name, "draws": found})
    heads = ["folder", "draws", *(f"{test} alone, at 1 %" for test in CHECKS), "alarms of drift", "verdict"]
    return [Table("Alarms among equal draws of 200 photos", heads, body, numbers)]


def _count_any(found: list[dict[str, float]]) -> int:
    return sum(min(p.values()) < LEVEL / len(CHECKS) for p in found)


def _darken(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.5)


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 100))


def measure_shifts(bench: Bench) -> list[Table]:
    """Count alarms where the new photos are darker, blurred, of other classes or of something else."""
    grounds, body, numbers = read_grounds(bench), [], []
    for ground in grounds:
        order = np.random.default_rng(3).permutation(len(ground.features))
        held, rest = order[:HELD], order[HELD:]
        own = answer_out_of_fold(ground.features, ground.targets)
        head = fit_head(ground.features[rest], ground.targets[rest], STRENGTH)
        tell(f"{ground.name}: computing features of changed photos")
        changed = {
            what: _read_changed(ground, held, change)
            for what, change in (("dark", _darken), ("blurred", _blur))
        }
        foreign = np.concatenate([g.features for g in grounds if g is not ground] or [ground.features[:0]])
        for what in ("dark", "blurred", "one class doubled", "5 % foreign"):
            if what == "5 % foreign" and not len(foreign):
                continue
            found = []
            for i in range(bench.count(bench.options.draws)):
                new = _plant(ground, held, what, changed, foreign, np.random.default_rng(10 + i))
                answers = head.compute_logits(new).argmax(1)
                found.append(find_p_values(ground, rest, own, new, answers))
            cells = [f"{sum(p[test] < LEVEL / len(CHECKS) for p in found)}" for test in CHECKS]
            any_alarm = _count_any(found)
            body.append(
                [
                    ground.name,
                    what,
                    *cells,
                    f"{any_alarm} of {len(found)}",
                    judge(any_alarm == len(found), "all"),
                ]
            )
            numbers.append({"folder": ground.name, "what": what, "draws": found})
            tell(f"{ground.name}, {what}: {any_alarm} of {len(found)}")
    return [
        Table(
            "Alarms where a change is planted",
            ["folder", "change", *CHECKS, "alarms", "verdict"],
            body,
            numbers,
        )
    ]


def _plant(
    ground: Ground,
    held: Array,
    what: str,
    changed: dict[str, Array],
    foreign: Array,
    rng: np.random.Generator,
) -> Array:
    """Return features of 200 photos with a change."""
    drawn = rng.permutation(len(held))[:N]
    if what in changed:
        return changed[what][drawn]
    if what == "5 % foreign":
        few = N // 20
        return np.concatenate(
            [ground.features[held[drawn[few:]]], foreign[rng.permutation(len(foreign))[:few]]]
        )
    # a class of twice its share; some photos stand for two
    is_it = ground.targets[held] == rng.integers(ground.classes)
    weights = np.where(is_it, 2 * (ground.classes - 1) / (ground.classes - 2), 1.0)
    return ground.features[rng.choice(held, N, p=weights / weights.sum())]


def _read_changed(ground: Ground, rows: Array, change: Callable[[Image.Image], Image.Image]) -> Array:
    found = []
    with Predictor(ground.model) as predictor:
        for row in rows:
            image = change(decode_photo(ground.paths[row], max_bytes=MAX_FOLDER_BYTES).image)
            found.append(predictor.run(predictor.preprocess.batch([image]))[1][0])
    return np.stack(found)


PARTS = {"equal": measure_equal, "shifts": measure_shifts}
