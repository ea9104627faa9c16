"""Ways to tell unfamiliar photos by a network's features and logits, and the false alarms of the one in use.

Each model is asked about the photos that it was trained on, those of the other folders and drawn pictures.
It looks at the sealed test photos: use copies.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from sklearn.covariance import OAS
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from fastclf.metrics import wilson_interval
from fastclf.model import MahalanobisDetector, ModelBundle, Predictor
from fastclf.model.ood import find_threshold
from fastclf.photos import MAX_FOLDER_BYTES, TEST, TRAIN, VALID, decode_photo
from fastclf.system import hash_file

from .harness import Bench, Draw, Table, draw_noise, draw_plain, find_photos, judge, tell

DATA = "MODEL=FOLDER for each model: the bundle and the photos that it was trained on"
RATE, AUROC = 0.05, 0.95
KEPT = "kept: Mahalanobis, roots at length 1, as fastclf does it"
# the ways that the table of drawn pictures shows
SOME = (KEPT, "Mahalanobis, raw", "kNN cosine, k = 5", "kNN Euclidean, k = 5", "energy")
ALARM_HEADS = (
    "model", "threshold from, photos", "false alarms on test photos", "95 % interval", "verdict",
    "mean rate over redraws", "redraws whose interval holds it",
)  # fmt: skip

Array = np.ndarray


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--foreign", action="append", type=Path, default=[], help="one more folder of photos")
    parser.add_argument("--cache", type=Path, help="folder for the networks' answers (default: temporary)")
    parser.add_argument("--redraws", type=int, default=1000, help="of valid and test photos (default: 1000)")


@dataclass(frozen=True)
class Seen:
    """The network's answers about a set of photos: (N, D) features and (N, K) logits."""

    features: Array
    logits: Array


Score = Callable[[Seen], Array]


@dataclass(frozen=True)
class Ground:
    """A model with its own photos by split, their groups of copies, and foreign photos by name."""

    name: str
    bundle: ModelBundle
    own: dict[str, Seen]
    targets: Array
    groups: dict[str, list[str]]
    foreign: dict[str, Seen]


def _tint(grey: Array, rng: np.random.Generator) -> Image.Image:
    low, high = rng.uniform(0, 255, (2, 3))
    return Image.fromarray((low + grey[..., None] * (high - low)).astype(np.uint8))


def _draw_clouds(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw noise of several sizes on top of each other."""
    grey = np.zeros((size[1], size[0]))
    for cells in (2, 4, 8, 16, 32):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells), np.uint8))
        grey += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), float) / cells
    return _tint((grey - grey.min()) / max(np.ptp(grey), 1e-9), rng)


def _draw_stripes(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw waves of a random direction and width, like cloth or sand."""
    y, x = np.mgrid[: size[1], : size[0]] / max(size)
    angle, waves = rng.uniform(0, np.pi), rng.uniform(3, 25)
    return _tint(0.5 + 0.5 * np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle))), rng)


def _draw_shapes(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw a dozen coloured ellipses over each other, slightly blurred."""
    image = draw_plain(size, rng)
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.uniform(-0.2, 1, 2) * size
        across, down = rng.uniform(0.1, 0.5, 2) * size
        pen.ellipse((x, y, x + across, y + down), tuple(int(c) for c in rng.integers(0, 256, 3)))
    return image.filter(ImageFilter.GaussianBlur(max(size) / 100))


DRAWN: dict[str, Draw] = {
    "noise": draw_noise, "plain colour": draw_plain, "clouds": _draw_clouds, "stripes": _draw_stripes,
    "shapes": _draw_shapes,
}  # fmt: skip


def read_grounds(bench: Bench) -> Iterator[Ground]:
    """Ask each model about its own folder, the other folders and drawn pictures."""
    for model, folder in bench.models:
        others = [*(f for _, f in bench.models if f != folder), *bench.options.foreign]
        bundle = ModelBundle.load(model)
        rows = {row.sha256: row for row in bundle.read_photos()}
        mine = [(path, rows.get(hash_file(path))) for path in find_photos(folder)]
        known = [(path, row) for path, row in mine if row and row.label in bundle.vocab]
        cache = (bench.options.cache or bench.scratch) / bundle.manifest.features_id[:16]
        cache.mkdir(parents=True, exist_ok=True)
        with Predictor(bundle) as predictor:
            read = partial(_read, predictor, cache)
            own = {
                split: read(f"own-{split}", _open([p for p, row in known if row.split == split]))
                for split in (TRAIN, VALID, TEST)
            }
            foreign = {other.name: read(other.name, _open(find_photos(other))) for other in others}
            for number, (name, draw) in enumerate(DRAWN.items()):
                rng = np.random.default_rng(number)
                pictures = (draw((320, 240), rng) for _ in range(bench.count(100)))
                foreign[name] = read(name, pictures)
        groups = {split: [row.group for _, row in known if row.split == split] for split in own}
        targets = np.array([bundle.vocab.index(row.label) for _, row in known if row.split == TRAIN])
        yield Ground(folder.name, bundle, own, targets, groups, foreign)


def _read(predictor: Predictor, cache: Path, name: str, images: Iterator[Image.Image]) -> Seen:
    """Ask the network, or the file of an earlier run."""
    file = cache / f"{name}.npz"
    if not file.exists():
        tell(f"{cache.name}: {name}")
        found: list[tuple[Any, Any]] = []
        while batch := [image for _, image in zip(range(16), images, strict=False)]:
            found.append(predictor.run(predictor.preprocess.batch(batch)))
        logits, features = (np.concatenate(parts) for parts in zip(*found, strict=True))
        np.savez(file, features=features, logits=logits)
    with np.load(file) as arrays:
        return Seen(arrays["features"], arrays["logits"])


def _open(paths: Iterable[Path]) -> Iterator[Image.Image]:
    for path in paths:
        yield decode_photo(path, max_bytes=MAX_FOLDER_BYTES).image


def fit_kept(ground: Ground) -> Score:
    """Return the score that fastclf uses."""
    own = ground.own
    detector = MahalanobisDetector.fit(own[TRAIN].features, own[VALID].features, ground.targets)
    return lambda s: detector.ood_score(s.features)


def fit_all(ground: Ground) -> dict[str, Score]:
    """Return every way by name, fitted on training photos; a score is higher for what is further out."""
    x = ground.own[TRAIN].features.astype(np.float64)
    mean, spread = x.mean(0), x.std(0) + 1e-6 * x.std()
    changes: dict[str, Callable[[Array], Array]] = {
        "raw": lambda f: f,
        "standardised": lambda f: (f - mean) / spread,
        "length 1": _unit,
        "roots": _root,
        "roots at length 1": lambda f: _unit(_root(f)),
    }
    scores = {f"kNN cosine, k = {k}": _fit_neighbours(x, _unit, k) for k in (1, 5, 20, 50)}
    scores["kNN Euclidean, k = 5"] = _fit_neighbours(x, changes["raw"], 5)
    scores["kNN Euclidean, standardised, k = 5"] = _fit_neighbours(x, changes["standardised"], 5)
    for name, change in changes.items():
        to_class = _fit_gaussian(change(x), ground.targets, change)
        to_all = _fit_gaussian(change(x), np.zeros_like(ground.targets), change)
        scores[f"Mahalanobis, {name}"] = to_class
        scores[f"relative Mahalanobis, {name}"] = lambda s, a=to_class, b=to_all: a(s) ** 2 - b(s) ** 2  # type: ignore[misc]
        scores[f"one Gaussian, {name}"] = to_all
    scores[KEPT] = fit_kept(ground)
    return scores | _fit_logits(ground) | _fit_rests(ground, x) | _fit_joint(ground, scores)


def _fit_neighbours(x: Array, change: Callable[[Array], Array], k: int) -> Score:
    """Return the distance to the k-th nearest training photo."""
    reference = change(x)
    lengths = (reference**2).sum(1)

    def score(seen: Seen) -> Array:
        f = change(seen.features.astype(np.float64))
        squared = (f**2).sum(1)[:, None] + lengths - 2 * f @ reference.T
        return np.partition(np.sqrt(np.maximum(squared, 0)), k - 1, axis=1)[:, k - 1]

    return score


def _fit_gaussian(x: Array, targets: Array, change: Callable[[Array], Array]) -> Score:
    """Return the distance to the nearest class under one covariance, shrunk by OAS."""
    _, index = np.unique(targets, return_inverse=True)
    means = np.stack([x[index == k].mean(0) for k in range(index.max() + 1)])
    whiten = np.linalg.cholesky(OAS(assume_centered=True).fit(x - means[index]).precision_)
    centres = means @ whiten

    def score(seen: Seen) -> Array:
        f = change(seen.features.astype(np.float64)) @ whiten
        return np.sqrt(np.min([((f - c) ** 2).sum(1) for c in centres], axis=0))

    return score


def _fit_logits(ground: Ground) -> dict[str, Score]:
    """Return what looks at logits, or at the length of the features, alone."""
    t = ground.bundle.temperature
    length = float(np.median(np.linalg.norm(ground.own[TRAIN].features, axis=1)))
    return {
        "energy": lambda s: -_logsumexp(s.logits),
        "energy, with temperature": lambda s: -_logsumexp(s.logits / t),
        "most probable class": lambda s: _logsumexp(s.logits / t) - s.logits.max(1) / t,
        "largest logit": lambda s: -s.logits.max(1),
        "short features": lambda s: -np.linalg.norm(s.features, axis=1),
        "short or long features": lambda s: np.abs(np.log(np.linalg.norm(s.features, axis=1) / length)),
    }


def _fit_rests(ground: Ground, x: Array) -> dict[str, Score]:
    """Return what looks at the part of the features outside of the training photos' main directions."""
    found: dict[str, Score] = {}
    for share in (0.9, 0.99):
        pca = PCA(share, svd_solver="full").fit(x)

        def rest(seen: Seen, pca: Any = pca) -> Array:
            return np.linalg.norm(seen.features - pca.inverse_transform(pca.transform(seen.features)), axis=1)

        train = ground.own[TRAIN]
        scale = train.logits.max(1).mean() / max(rest(train).mean(), 1e-12)
        found[f"outside of {share:.0%} of the variance"] = rest
        found[f"ViM, {share:.0%} of the variance"] = lambda s, rest=rest, scale=scale: (  # type: ignore[misc]
            scale * rest(s) - _logsumexp(s.logits)
        )
    return found


def _fit_joint(ground: Ground, scores: dict[str, Score]) -> dict[str, Score]:
    """Return sums and maxima of scores, each in validation spreads above the validation median."""
    roots, cosine = "Mahalanobis, roots at length 1", "kNN cosine, k = 5"

    def standardise(name: str) -> Score:
        median, upper = np.quantile(np.log(scores[name](ground.own[VALID]) + 1e-9), [0.5, 0.8413])
        return lambda s: (np.log(scores[name](s) + 1e-9) - median) / max(upper - median, 1e-9)

    found: dict[str, Score] = {}
    for a, b in ((roots, cosine), (roots, "Mahalanobis, standardised"), ("Mahalanobis, roots", cosine)):
        first, second = standardise(a), standardise(b)
        found[f"sum of {a} and {b}"] = lambda s, f=first, g=second: f(s) + g(s)  # type: ignore[misc]
        found[f"larger of {a} and {b}"] = lambda s, f=first, g=second: np.maximum(f(s), g(s))  # type: ignore[misc]
    return found


def _unit(x: Array) -> Array:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def _root(x: Array) -> Array:
    return np.copysign(np.sqrt(np.abs(x)), x)


def _logsumexp(logits: Array) -> Array:
    top = logits.max(1)
    return np.asarray(top + np.log(np.exp(logits - top[:, None]).sum(1)))


def measure_ways(bench: Bench) -> list[Table]:
    """Compare all ways, by AUROC against validation and test photos and by the share above the threshold."""
    rows = []
    for ground in read_grounds(bench):
        tell(f"{ground.name}: {', '.join(f'{k} {len(s.features)}' for k, s in ground.own.items())}")
        for way, score in fit_all(ground).items():
            own = [score(ground.own[split]) for split in (VALID, TEST)]
            threshold, familiar = find_threshold(own[0], RATE), np.concatenate(own)
            for foreign, seen in ground.foreign.items():
                found = score(seen)
                truth = np.repeat([0, 1], [len(familiar), len(found)])
                rows.append({
                    "model": ground.name, "foreign": foreign, "way": way, "n": len(found),
                    "auroc": float(roc_auc_score(truth, np.concatenate([familiar, found]))),
                    "flagged": float((found > threshold).mean()),
                })  # fmt: skip
    folders = [r for r in rows if r["foreign"] not in DRAWN]
    drawn = [r for r in rows if r["foreign"] in DRAWN and r["way"] in SOME]
    words = "AUROC and share called unfamiliar, by model and photos"
    return [tabulate(words, folders), tabulate(f"{words}, drawn pictures", drawn)]


def tabulate(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Show one way a row, with its worst AUROC."""
    places = list(dict.fromkeys((r["model"], r["foreign"]) for r in rows))
    body = []
    for way in dict.fromkeys(r["way"] for r in rows):
        mine = {(r["model"], r["foreign"]): r for r in rows if r["way"] == way}
        cells = [f"{mine[p]['auroc']:.3f} / {mine[p]['flagged']:.0%}" for p in places]
        worst = min(r["auroc"] for r in mine.values())
        body.append([way, *cells, f"{worst:.3f}", judge(worst >= AUROC, f"≥ {AUROC:g}")])
    heads = ["way", *(f"{model}: {foreign}" for model, foreign in places), "worst", "verdict"]
    return Table(title, heads, body, rows)


def measure_alarms(bench: Bench) -> list[Table]:
    """Count false alarms on the test photos, and on test photos that are drawn anew with their groups."""
    body, numbers = [], []
    for ground in read_grounds(bench):
        score = fit_kept(ground)
        valid, test = (score(ground.own[split]) for split in (VALID, TEST))
        together = np.concatenate([valid, test])
        groups = np.unique([*ground.groups[VALID], *ground.groups[TEST]], return_inverse=True)[1]
        rng = np.random.default_rng(0)
        parts = [_draw_groups(groups, len(valid), rng) for _ in range(bench.count(bench.options.redraws))]
        drawn = [_count(together[part], together[~part]) for part in parts]
        got = _count(valid, test)
        holds = [d["low"] <= RATE <= d["high"] for d in drawn]
        body.append([
            ground.name, f"{len(valid)}", f"{got['alarms']} of {got['n']} ({got['rate']:.1%})",
            f"{got['low']:.1%} to {got['high']:.1%}",
            judge(got["low"] <= RATE <= got["high"], f"{RATE:.0%} inside"),
            f"{np.mean([d['rate'] for d in drawn]):.2%}", f"{sum(holds)} of {len(holds)}",
        ])  # fmt: skip
        numbers.append({"model": ground.name, "n_valid": len(valid), **got, "redraws": drawn})
    return [Table("False alarms of the kept way", ALARM_HEADS, body, numbers)]


def _draw_groups(groups: Array, n: int, rng: np.random.Generator) -> Array:
    """Return which photos belong to a new validation set of about `n`, groups kept together."""
    order = rng.permutation(groups.max() + 1)
    last = int(np.searchsorted(np.cumsum(np.bincount(groups)[order]), n, side="left")) + 1
    return np.isin(groups, order[:last])


def _count(valid: Array, test: Array) -> dict[str, Any]:
    alarms = int((test > find_threshold(valid, RATE)).sum())
    low, high = wilson_interval(alarms, len(test))
    return {"alarms": alarms, "n": len(test), "rate": alarms / len(test), "low": low, "high": high}


PARTS = {"ways": measure_ways, "alarms": measure_alarms}
