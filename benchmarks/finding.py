"""Each measure plants faults, checks, counts what was found and takes the faults out again."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import planting
from sklearn.metrics import average_precision_score, roc_auc_score

from fastclf.catalog import Catalog, find_neighbours
from fastclf.check import CheckReport
from fastclf.check.findings import describe_thumbnails
from fastclf.issues import find_label_issues, find_odd
from fastclf.issues.labels import LabelIssues
from fastclf.issues.quality import KINDS as QUALITY_KINDS
from fastclf.model import ModelBundle, extract_features
from fastclf.photos import Photo

PIXELS, DESCRIPTOR, NETWORK = "pixels alone", "plain descriptor", "network"
WRONG, FOREIGN, POOR, BROKEN = 0.05, 0.05, 0.05, 12
Pair = tuple[str, str]
Row = dict[str, Any]


@dataclass
class Ground:
    """A copy of a labelled folder to plant faults in.

    Attributes
    ----------
    name
        Of the original folder.
    folder, photos
        The copy, and its photos without planted ones.
    catalog
        Of the copy.
    bundle
        Whose body gives features; None for none.
    foreign
        Photos of another folder.
    planted
        {name: photo it was made of} of the faults of now.
    """

    name: str
    folder: Path
    photos: list[Path]
    catalog: Catalog
    bundle: ModelBundle | None = None
    foreign: list[Path] = field(default_factory=list)
    planted: dict[str, str] = field(default_factory=dict)

    def relative(self, path: Path) -> str:
        """Return a photo's name as reports give it."""
        return path.relative_to(self.folder).as_posix()

    def plant(self, original: Path, word: str, data: bytes, suffix: str = ".jpg") -> str:
        """Write a planted file beside a photo and return its name."""
        name = self.relative(planting.save_beside(original, word, data, suffix))
        self.planted[name] = self.relative(original)
        return name

    @contextmanager
    def planting(self) -> Iterator[None]:
        """Take the planted files out again afterwards."""
        try:
            yield
        finally:
            for name in self.planted:
                (self.folder / name).unlink()
            self.planted.clear()

    def look(self) -> CheckReport:
        """Scan and check the pixels."""
        self.catalog.scan()
        return self.catalog.check(labels=False)

    def features(self, source: str) -> Any:
        """Return (N, D) features of the photos of the last scan."""
        photos = self.catalog.photos().photos
        if source == DESCRIPTOR:
            return describe_thumbnails(self.catalog, photos)
        cache = self.catalog.feature_cache(self.bundle.manifest.features_id)
        return extract_features(cache, photos, self.bundle)

    @property
    def sources(self) -> list[str]:
        """Name the features at hand."""
        return [DESCRIPTOR, NETWORK] if self.bundle else [DESCRIPTOR]


def measure_broken(ground: Ground, rng: np.random.Generator) -> list[Row]:
    """Plant files that cannot be read, and unusual ones that can."""
    kinds: dict[str, list[str]] = {}
    with ground.planting():
        for number, (kind, make) in enumerate(planting.BROKEN.items()):
            chosen = planting.choose(ground.photos, BROKEN, rng)
            kinds[kind] = [ground.plant(p, f"broken{number}", make(p.read_bytes(), rng)) for p in chosen]
        broken = set(ground.planted)
        sound = []
        for number, save in enumerate(planting.SOUND.values()):
            for path in planting.choose(ground.photos, BROKEN, rng):
                sound.append(ground.plant(path, f"sound{number}", save(planting.open_rgb(path))))
        found = {u.file for u in ground.look().unreadable}
    rows = [_count(kind, len(names), len(found & set(names)), 0) for kind, names in kinds.items()]
    usual = len(found - broken - set(sound))
    rows.append(_count("unusual but sound (none may be found)", len(sound), len(found & set(sound)), 0))
    return [*rows, _count("all photos of the folder (none may be found)", len(ground.photos), usual, 0)]


def measure_identical(ground: Ground, rng: np.random.Generator) -> list[Row]:
    """Plant copies of the same bytes, of the same pixels, and some under another label."""
    kinds: dict[str, set[Pair]] = defaultdict(set)
    labels = sorted({p.parent for p in ground.photos})
    with ground.planting():
        for path in planting.choose(ground.photos, 40, rng):
            original = ground.relative(path)
            kinds["same bytes"].add(_pair(original, ground.plant(path, "copy", path.read_bytes())))
            for suffix, kind in planting.LOSSLESS:
                data = planting.encode(planting.open_rgb(path), kind)
                kinds["same pixels (PNG, BMP)"].add(
                    _pair(original, ground.plant(path, "pixels", data, suffix))
                )
        for path in planting.choose(ground.photos, 40, rng):
            other = next(folder for folder in rng.permutation(labels) if folder != path.parent)
            name = ground.plant(other / path.name, "elsewhere", path.read_bytes(), path.suffix)
            ground.planted[name] = ground.relative(path)
            kinds["same bytes, another label"].add(_pair(ground.relative(path), name))
        report = ground.look()
        same = _name_pixels(ground)
        found = set(_list_pairs(report.duplicates))
        told = set(_list_pairs(report.conflicting_labels))
        rows = [_judge_pairs(ground, kind, pairs, found, same) for kind, pairs in kinds.items()]
        pairs = kinds["same bytes, another label"]
        return [*rows, _count("... told as a conflict of labels", len(pairs), len(pairs & told), 0)]


def measure_near(ground: Ground, rng: np.random.Generator) -> list[Row]:
    """Plant one changed copy of some photos, another kind for each."""
    kinds: dict[str, set[Pair]] = defaultdict(set)
    names = list(planting.COPIES)
    share = len(ground.photos) // len(names) * len(names)
    with ground.planting():
        for number, path in enumerate(planting.choose(ground.photos, share, rng)):
            kind = names[number % len(names)]
            make, quality, *_ = planting.COPIES[kind]
            data = planting.encode(make(planting.open_rgb(path), rng), quality=quality)
            copy = ground.plant(path, f"near{number % len(names)}", data)
            kinds[kind].add(_pair(ground.relative(path), copy))
        reports = {PIXELS: ground.look()}
        if ground.bundle:
            reports[NETWORK] = ground.catalog.check(ground.features(NETWORK), labels=False)
        rows = []
        for source, report in reports.items():
            found = set(_list_pairs((*report.duplicates, *report.near_duplicates)))
            rows += [
                _judge_pairs(ground, kind, pairs, found) | {"features": source}
                for kind, pairs in kinds.items()
            ]
            natural = [p for p in found if not set(p) & ground.planted.keys()]
            rows.append({"fault": "natural pairs", "features": source, "n": len(natural), "pairs": natural})
    return rows


def measure_labels(ground: Ground, rng: np.random.Generator) -> list[Row]:
    """Give some photos a wrong label; compare with cleanlab's defaults on the same probabilities."""
    ground.catalog.scan()
    photos = ground.catalog.photos().photos
    vocab = sorted({p.label for p in photos})
    wrong = set()
    for i in rng.choice(len(photos), round(WRONG * len(photos)), replace=False):
        label = str(rng.choice([name for name in vocab if name != photos[i].label]))
        ground.catalog.relabel([photos[i].name], label)
        wrong.add(photos[i].name)
    rows = []
    try:
        for source in ground.sources:
            rows.append(_judge_labels(ground, source, wrong, rng))
    finally:
        for _ in wrong:
            ground.catalog.undo()
    return rows


def _judge_labels(ground: Ground, source: str, wrong: set[str], rng: np.random.Generator) -> Row:
    features = ground.features(source)
    report = ground.catalog.check(features, out_of_sample=True)
    photos = ground.catalog.photos().photos
    groups = _name_groups(ground, photos)
    labels = [p.label for p in photos]
    issues = find_label_issues(features, labels, groups)
    truth = np.array([p.name in wrong for p in photos])
    listed = {issue.file for issue in report.label_issues}
    flagged = np.array([p.name in listed for p in photos])
    return {
        "fault": "wrong label", "features": source, "n": int(truth.sum()),
        "average precision": average_precision_score(truth, 1 - issues.label_quality),
        **_rate("ours", truth, flagged), **_rate("cleanlab", truth, issues.pruned),
        "cleanlab average precision": average_precision_score(truth, 1 - _score_by_cleanlab(issues, labels)),
        "own classifier": _ask_cleanlab(features, labels, truth, rng),
    }  # fmt: skip


def _score_by_cleanlab(issues: LabelIssues, labels: Sequence[str]) -> Any:
    """Return cleanlab's default label quality on the same probabilities."""
    from cleanlab.rank import get_label_quality_scores

    targets = np.array([issues.vocab.index(label) for label in labels])
    return get_label_quality_scores(targets, issues.pred_probs)


def _ask_cleanlab(features: Any, labels: Sequence[str], truth: Any, rng: np.random.Generator) -> float:
    """Return the average precision of cleanlab left to itself: its classifier, folds and scores."""
    from cleanlab.classification import CleanLearning

    targets = np.unique(labels, return_inverse=True)[1]
    learner = CleanLearning(seed=int(rng.integers(2**31)), find_label_issues_kwargs={"n_jobs": 1})
    found = learner.find_label_issues(features.astype(np.float64), targets)
    return float(average_precision_score(truth, 1 - found["label_quality"]))


def measure_foreign(ground: Ground, rng: np.random.Generator) -> list[Row]:
    """Plant photos of another folder, noise and plain colours."""
    n = round(FOREIGN * len(ground.photos))
    kinds: dict[str, set[str]] = defaultdict(set)
    size = planting.open_rgb(ground.photos[0]).size
    with ground.planting():
        for path in planting.choose(ground.foreign, n * 8 // 10, rng):
            data = planting.encode(planting.open_rgb(path))
            kinds["photo of another folder"].add(ground.plant(_any(ground, rng), f"x{path.stem}", data))
        for word, draw in (("noise", planting.draw_noise), ("plain colour", planting.draw_plain)):
            for number in range(max(1, n // 10)):
                data = planting.encode(draw(size, rng))
                kinds[word].add(ground.plant(_any(ground, rng), f"{word.split()[0]}{number}", data))
        ground.catalog.scan()
        return [row for source in ground.sources for row in _judge_foreign(ground, source, kinds)]


def _judge_foreign(ground: Ground, source: str, kinds: dict[str, set[str]]) -> list[Row]:
    features = ground.features(source)
    listed = {o.file for o in ground.catalog.check(features, labels=False).odd}
    photos = ground.catalog.photos().photos
    groups = _name_groups(ground, photos)
    scores = find_odd(features, groups, [p.label for p in photos]).scores
    names = np.array([p.name for p in photos])
    rows = []
    for kind, planted in {**kinds, "all": set().union(*kinds.values())}.items():
        here = np.array([n in planted or n not in ground.planted for n in names])
        truth = np.array([n in planted for n in names])
        flagged = np.array([n in listed for n in names])
        rows.append(
            {
                "fault": kind,
                "features": source,
                "n": len(planted),
                "AUROC": roc_auc_score(truth[here], scores[here]),
                **_rate("ours", truth[here], flagged[here]),
            }
        )
    return rows


def measure_quality(ground: Ground, rng: np.random.Generator) -> list[Row]:
    """Plant poor versions of photos."""
    planted: dict[str, set[str]] = {}
    with ground.planting():
        for kind, make in planting.POOR.items():
            chosen = planting.choose(ground.photos, round(POOR * len(ground.photos)), rng)
            made = [(path, make(planting.open_rgb(path), rng)) for path in chosen]
            planted[kind] = {
                ground.plant(p, kind.replace(" ", ""), planting.encode(image, quality=92))
                for p, image in made
            }
        findings = ground.look().low_quality
        rows = []
        for kind in QUALITY_KINDS:
            found = {f.file for f in findings if f.kind == kind}
            natural = sorted(found - ground.planted.keys())
            hit = len(found & planted[kind])
            rows.append(
                _count(kind, len(planted[kind]), hit, 0)
                | {"natural": len(natural), "photos": len(ground.photos), "files": natural}
            )
    return rows


def _any(ground: Ground, rng: np.random.Generator) -> Path:
    return ground.photos[int(rng.integers(len(ground.photos)))]


def _count(fault: str, n: int, found: int, false: int) -> Row:
    return {"fault": fault, "n": n, "found": found, "false": false}


def _name_groups(ground: Ground, photos: Sequence[Photo]) -> Sequence[str]:
    """Return the groups of copies that the check keeps together; features have no say in them."""
    return find_neighbours(ground.catalog._store, photos, np.zeros((len(photos), 0), np.float32)).groups


def _pair(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


def _list_pairs(groups: Iterable[Any]) -> Iterator[Pair]:
    for group in groups:
        yield from (_pair(a, b) for a, b in itertools.combinations(group.files, 2))


def _judge_pairs(
    ground: Ground, fault: str, wanted: set[Pair], found: set[Pair], same: dict[str, Any] | None = None
) -> Row:
    """Count the wanted pairs, and the false ones that hold one of their copies."""
    copies = {name for pair in wanted for name in pair if name in ground.planted}
    origin = {name: ground.planted.get(name, name) for pair in found for name in pair}
    held = [pair for pair in found if copies & set(pair)]
    false = [(a, b) for a, b in held if not _agree(origin[a], origin[b], same or {})]
    return _count(fault, len(wanted), len(wanted & found), len(false)) | {
        "missed": sorted(wanted - found)[:50],
        "wrong": sorted(false)[:50],
        "natural": sum(_pair(origin[a], origin[b]) in found for a, b in false),
    }


def _agree(a: str, b: str, same: dict[str, Any]) -> bool:
    return a == b or (a in same and same[a] == same.get(b))


def _name_pixels(ground: Ground) -> dict[str, Any]:
    """Return {photo: its pixels}, decoded by Pillow alone."""
    pixels = {}
    for path in ground.photos:
        image = planting.open_rgb(path)
        pixels[ground.relative(path)] = (image.size, hash(image.tobytes()))
    return pixels


def _rate(who: str, truth: Any, flagged: Any) -> Row:
    hit = int((truth & flagged).sum())
    return {f"{who} precision": hit / max(1, int(flagged.sum())), f"{who} recall": hit / int(truth.sum())}


MEASURES: dict[str, Callable[[Ground, np.random.Generator], list[Row]]] = {
    "unreadable": measure_broken,
    "identical": measure_identical,
    "near": measure_near,
    "labels": measure_labels,
    "foreign": measure_foreign,
    "quality": measure_quality,
}
