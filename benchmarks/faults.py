"""Faults planted in copies of labelled folders, and what the check finds of them."""

from __future__ import annotations

import argparse
import io
import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from sklearn.metrics import average_precision_score, roc_auc_score

from fastclf.backbone import find_packaged, open_packaged
from fastclf.catalog import Catalog
from fastclf.check import CheckInputs, CheckReport, check_catalog, describe_thumbnails
from fastclf.issues import Finding, find_copies, find_label_issues, find_outliers
from fastclf.model import ModelBundle, extract_features
from fastclf.photos import Photo, hash_pixels

from .harness import Bench, Table, draw_noise, draw_plain, encode, find_photos, judge, open_rgb, tell

DATA = "folders with one sub-folder per class; they are only read"
HEADS = (
    "planted", "seen by", "n", "found (recall)", "wrong (precision)", "AUROC, average precision", "verdict",
)  # fmt: skip
PIXELS, DESCRIPTOR, NETWORK, FROZEN = "pixels alone", "plain descriptor", "network", "frozen network"
SHARE, BROKEN_EACH, COPIED, FOREIGN = 0.05, 12, 40, 60
EXACT, LABELS = {"recall": 1.0, "precision": 1.0}, {DESCRIPTOR: 0.85, NETWORK: 0.85, FROZEN: 0.95}
LOOKED_AT = (0.01, 0.05, 0.10)  # shares of the photos, the most doubtful first

Make = Callable[[Image.Image, np.random.Generator], Image.Image]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--foreign", type=Path, help="labelled folder of other photos (default: another DATA)"
    )
    parser.add_argument("--model", type=Path, help="bundle whose body gives features")
    parser.add_argument("--seed", type=int, default=0, help="of the first of the --repeats drawings")


def _flip_until_broken(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip single bytes anywhere until Pillow no longer decodes the file."""
    broken = bytearray(data)
    for _ in range(1000):
        broken[rng.integers(len(broken))] ^= int(rng.integers(1, 256))
        try:
            Image.open(io.BytesIO(bytes(broken))).load()
        except (OSError, SyntaxError, ValueError):
            return bytes(broken)
    return data[:10]


def _make_bomb(_: bytes, rng: np.random.Generator) -> bytes:
    side = int(rng.integers(14_000, 18_000))
    return encode(Image.new("1", (side, side)), "PNG")


BROKEN: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "truncated": lambda data, rng: data[: int(len(data) * rng.uniform(0.1, 0.9))],
    "0 bytes": lambda data, rng: b"",
    "web page named .jpg": lambda data, rng: b"<!DOCTYPE html><html><body>Not found</body></html>",
    "bomb (over 190 million pixels)": _make_bomb,
    "bytes flipped until it breaks": _flip_until_broken,
    "text named .jpg": lambda data, rng: b"This is not a photo.\n" * int(rng.integers(1, 200)),
}


def _save_16_bit(image: Image.Image) -> bytes:
    deep = np.asarray(image.convert("L")).astype(np.uint16) * 257
    return encode(Image.fromarray(deep), "PNG")


def _save_turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(image, exif=exif)


# Unusual files that are sound: not one may be called unreadable.
SOUND: dict[str, Callable[[Image.Image], bytes]] = {
    "CMYK": lambda image: encode(image.convert("CMYK")),
    "progressive": lambda image: encode(image, progressive=True),
    "16 bits a pixel": _save_16_bit,
    "palette": lambda image: encode(image.quantize(64), "PNG"),
    "PNG named .jpg": lambda image: encode(image, "PNG"),
    "turned by EXIF": _save_turned,
    "rubbish behind its end": lambda image: encode(image) + b"\0rubbish" * 50,
}


def _resize(factor: float) -> Make:
    def make(image: Image.Image, _: np.random.Generator) -> Image.Image:
        width, height = (max(1, round(side * factor)) for side in image.size)
        return image.resize((width, height), Image.Resampling.BICUBIC)

    return make


def _crop(share: float, *, centre: bool) -> Make:
    """Take `share` of the width and of the height away, around the middle or at a random place."""

    def make(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        width, height = (round(side * (1 - share)) for side in image.size)
        across, down = (0.5, 0.5) if centre else rng.random(2)
        x, y = round((image.width - width) * across), round((image.height - height) * down)
        return image.crop((x, y, x + width, y + height))

    return make


def _recolour(change: Callable[[Any], Any]) -> Make:
    def make(image: Image.Image, _: np.random.Generator) -> Image.Image:
        return Image.fromarray(np.clip(change(np.asarray(image, np.float32)), 0, 255).astype(np.uint8))

    return make


# {name: (how, JPEG quality, least recall, whether only with features)}
COPIES: dict[str, tuple[Make, int, float, bool]] = {
    "resized to 50 %": (_resize(0.5), 95, 0.95, False),
    "resized to 150 %": (_resize(1.5), 95, 0.95, False),
    "JPEG quality 30": (lambda image, rng: image, 30, 0.95, False),
    "5 % cropped, middle": (_crop(0.05, centre=True), 95, 0.95, False),
    "5 % cropped, anywhere": (_crop(0.05, centre=False), 95, 0.95, False),
    "15 % brighter": (_recolour(lambda x: x * 1.15 + 0.5), 95, 0.95, False),
    "15 % darker": (_recolour(lambda x: x * 0.85 + 0.5), 95, 0.95, False),
    "turned by 90, 180 or 270 degrees": (
        lambda image, rng: image.rotate(int(rng.integers(1, 4)) * 90, expand=True),
        85,
        0.95,
        False,
    ),
    "10 % cropped, anywhere": (_crop(0.10, centre=False), 95, 0.90, True),
    "10 % cropped from each side": (_crop(0.20, centre=True), 95, 0.90, True),
    "mirrored": (lambda image, rng: ImageOps.mirror(image), 95, 0.90, True),
}


def _empty(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Keep one colour of the photo and a camera's noise."""
    colour = np.asarray(image).reshape(-1, 3)[int(rng.integers(image.width * image.height))]
    noise = rng.normal(0, 2, (image.height, image.width, 3))
    return Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8))


# {kind of `fastclf.issues.quality`: how}
POOR: dict[str, Make] = {
    "dark": _recolour(lambda x: x * 0.15 + 0.5),
    "light": _recolour(lambda x: 255 - (255 - x) * 0.15),
    "blurred": lambda image, rng: image.filter(ImageFilter.GaussianBlur(0.02 * max(image.size))),
    "empty": _empty,
    "grey": lambda image, rng: image.convert("L").convert("RGB"),
    "odd size": _resize(0.2),
    "odd shape": lambda image, rng: image.crop((0, 0, image.width, max(1, round(image.width / 5)))),
}


@dataclass
class Row:
    """What was found of one kind of fault: counts add up over the drawings, scores are averaged."""

    fault: str
    n: int
    found: int
    wrong: int = 0
    source: str = ""
    score: float = math.nan
    goal: dict[str, float] = field(default_factory=dict)
    names: dict[str, list[Any]] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """Return the row of the table, with the verdict where there is a goal."""
        share = {
            "recall": self.found / self.n if self.n else 0.0,
            "precision": self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0,
            "score": self.score,
        }
        met = all(share[key] >= least for key, least in self.goal.items())
        words = ", ".join(f"{key} ≥ {least:g}" for key, least in self.goal.items())
        found = f"{self.found:,} ({share['recall']:.3f})"
        wrong = f"{self.wrong:,} ({share['precision']:.3f})"
        score = "-" if math.isnan(self.score) else f"{self.score:.3f}"
        verdict = judge(met, words) if words else "-"
        return [self.fault, self.source, f"{self.n:,}", found, wrong, score, verdict]


@dataclass
class Ground:
    """A copy of a labelled folder to plant faults in.

    `planted` holds {planted file: photo that it was made of}, `kinds` the planted files by kind.
    """

    folder: Path
    photos: list[Path]
    catalog: Catalog
    bundle: ModelBundle | None
    foreign: list[Path]
    rng: np.random.Generator
    planted: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def relative(self, path: Path) -> str:
        """Return a photo's name as reports give it."""
        return path.relative_to(self.folder).as_posix()

    def choose(self, n: int, items: Sequence[Path] | None = None) -> list[Path]:
        """Choose `n` different photos, all if there are fewer."""
        items = self.photos if items is None else items
        return [items[i] for i in self.rng.choice(len(items), min(n, len(items)), replace=False)]

    def plant(
        self, kind: str, original: Path, data: bytes, suffix: str = ".jpg", at: Path | None = None
    ) -> None:
        """Write a file beside a photo, or into the class folder `at`."""
        name = self.relative((at or original.parent) / f"planted{len(self.planted)}{suffix}")
        (self.folder / name).write_bytes(data)
        self.planted[name] = self.relative(original)
        self.kinds[kind].add(name)

    def clear(self) -> None:
        """Take the planted files out again."""
        for name in self.planted:
            (self.folder / name).unlink()

    def look(self) -> CheckReport:
        """Scan and check the pixels."""
        self.catalog.scan()
        return check_catalog(self.catalog, labels=False)

    def known(self) -> tuple[Sequence[Photo], Sequence[str]]:
        """Return the photos of the last scan, and the groups of copies that the check keeps together."""
        photos = self.catalog.photos().photos
        # features have no say in the groups
        none = np.zeros((len(photos), 0), np.float32)
        pairs = [(pair.a, pair.b, pair.score, pair.turn) for pair in self.catalog.find_near_pairs().pairs]
        return photos, find_copies(photos, pairs, none, self.catalog.confirm_pairs).names

    def features(self) -> Iterator[tuple[str, Any]]:
        """Give the name and the (N, D) features of the photos of the last scan, by each source at hand."""
        photos = self.catalog.photos().photos
        yield DESCRIPTOR, describe_thumbnails(self.catalog, photos)
        if self.bundle:
            cache = self.catalog.feature_cache(self.bundle.manifest.features_id)
            yield NETWORK, extract_features(cache, photos, self.bundle)
        if find_packaged():
            body = open_packaged()
            yield FROZEN, body.extract(self.catalog.feature_cache(body.features_id), photos)


def measure_unreadable(ground: Ground) -> Iterator[Row]:
    """Plant files that cannot be read, and unusual ones that can."""
    for kind, make in BROKEN.items():
        for path in ground.choose(BROKEN_EACH):
            ground.plant(kind, path, make(path.read_bytes(), ground.rng))
    for save in SOUND.values():
        for path in ground.choose(BROKEN_EACH):
            ground.plant("unusual but sound", path, save(open_rgb(path)))
    found = {f.files[0] for f in ground.look().findings["unreadable"]}
    sound = ground.kinds.pop("unusual but sound")
    for kind, names in ground.kinds.items():
        yield Row(kind, len(names), len(found & names), goal=EXACT)
    for kind, names in (
        ("unusual but sound", sound),
        ("the folder's own photos", set(map(ground.relative, ground.photos))),
    ):
        yield Row(f"{kind} (none may be found)", len(names), 0, len(found & names), goal={"precision": 1})


def measure_identical(ground: Ground) -> Iterator[Row]:
    """Plant copies of the same bytes, of the same pixels, and some under another label."""
    labels = sorted({str(p.parent) for p in ground.photos})
    for path in ground.choose(COPIED):
        ground.plant("same bytes", path, path.read_bytes())
        for suffix, form in ((".png", "PNG"), (".bmp", "BMP")):
            ground.plant("same pixels (PNG, BMP)", path, encode(open_rgb(path), form), suffix)
    for path in ground.choose(COPIED):
        other = next(label for label in ground.rng.permutation(labels) if label != str(path.parent))
        ground.plant("same bytes, another label", path, path.read_bytes(), path.suffix, Path(other))
    findings = ground.look().findings
    pixels = {ground.relative(path): hash_pixels(open_rgb(path)) for path in ground.photos}
    found, told = _find_partners(findings["duplicate"]), _find_partners(findings["conflict"])
    for kind, names in ground.kinds.items():
        yield _judge_copies(ground, kind, names, found, EXACT, pixels)
    names = ground.kinds["same bytes, another label"]
    yield _judge_copies(ground, "... told as a conflict of labels", names, told, EXACT, pixels)


def measure_near(ground: Ground) -> Iterator[Row]:
    """Plant one changed copy of some photos, another kind for each."""
    kinds = list(COPIES.items())
    for number, path in enumerate(ground.choose(len(ground.photos) // len(kinds) * len(kinds))):
        kind, (make, quality, *_) = kinds[number % len(kinds)]
        ground.plant(kind, path, encode(make(open_rgb(path), ground.rng), quality=quality))
    reports = {PIXELS: ground.look()}
    if ground.bundle:
        inputs = CheckInputs(dict(ground.features())[NETWORK])
        reports[NETWORK] = check_catalog(ground.catalog, inputs, labels=False)
    for source, report in reports.items():
        found = _find_partners((*report.findings["duplicate"], *report.findings["near-duplicate"]))
        for kind, names in ground.kinds.items():
            *_, recall, by_network = COPIES[kind]
            goal = {"recall": recall} if by_network else {"recall": recall, "precision": 0.98}
            goal = {} if by_network and source == PIXELS else goal
            yield replace(_judge_copies(ground, kind, names, found, goal), source=source)
        natural = [
            name for name in found.keys() - ground.planted.keys() if found[name] - ground.planted.keys()
        ]
        yield Row(
            "natural copies, to look at",
            len(ground.photos),
            len(natural),
            0,
            source,
            names={"found": natural},
        )


def measure_labels(ground: Ground) -> Iterator[Row]:
    """Give some photos a wrong label; compare with cleanlab's defaults on the same probabilities."""
    ground.catalog.scan()
    photos = ground.catalog.photos().photos
    vocab = sorted({p.label for p in photos})
    wrong = set()
    for i in ground.rng.choice(len(photos), round(SHARE * len(photos)), replace=False):
        label = str(ground.rng.choice([name for name in vocab if name != photos[i].label]))
        ground.catalog.relabel([photos[i].name], label)
        wrong.add(photos[i].name)
    try:
        for source, features in ground.features():
            yield from _judge_labels(ground, source, features, wrong)
    finally:
        for _ in wrong:
            ground.catalog.undo()


def _judge_labels(ground: Ground, source: str, features: Any, wrong: set[str]) -> Iterator[Row]:
    from cleanlab.classification import CleanLearning
    from cleanlab.filter import find_label_issues as find_by_cleanlab
    from cleanlab.rank import get_label_quality_scores

    report = check_catalog(ground.catalog, CheckInputs(features))
    listed = {doubt.files[0] for doubt in report.findings["label"]}
    photos, groups = ground.known()
    labels = [p.label for p in photos]
    issues = find_label_issues(features, labels, groups)
    targets = np.array([issues.vocab.index(label) for label in labels])
    learner = CleanLearning(seed=int(ground.rng.integers(2**31)), find_label_issues_kwargs={"n_jobs": 1})
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # small classes, no convergence
        pruned = find_by_cleanlab(targets, issues.pred_probs, n_jobs=1)
        own = learner.find_label_issues(features.astype(np.float64), targets)
    truth = np.array([p.name in wrong for p in photos])
    theirs = get_label_quality_scores(targets, issues.pred_probs)
    for words, flagged, quality in (
        ("wrong labels", [p.name in listed for p in photos], issues.label_quality),
        ("... cleanlab on the same probabilities", pruned, theirs),
        ("... cleanlab, its own classifier", own["is_label_issue"], own["label_quality"]),
    ):
        score = float(average_precision_score(truth, 1 - np.asarray(quality)))
        goal = {"score": LABELS[source]} if words == "wrong labels" else {}
        yield Row(words, len(wrong), *_count_hits(truth, flagged), source, score, goal)
    doubtful = np.argsort(issues.label_quality, kind="stable")
    for share in LOOKED_AT:
        first = np.isin(np.arange(len(photos)), doubtful[: round(share * len(photos))])
        yield Row(f"... in the first {share:.0%} looked at", len(wrong), *_count_hits(truth, first), source)


def measure_foreign(ground: Ground) -> Iterator[Row]:
    """Count natural photos that are called odd; plant photos of another folder, noise and plain colours."""
    if not ground.foreign:
        return tell("left out: name a second folder or give --foreign")
    yield from _judge_foreign(ground)
    size = open_rgb(ground.photos[0]).size
    pictures = [("photo of another folder", open_rgb(p)) for p in ground.choose(FOREIGN, ground.foreign)]
    drawn = [
        (kind, draw(size, ground.rng))
        for kind, draw in (("noise", draw_noise), ("plain colour", draw_plain))
        for _ in range(FOREIGN // 10)
    ]
    for some in (pictures, drawn):
        for kind, picture in some:
            ground.plant(kind, ground.choose(1)[0], encode(picture))
        yield from _judge_foreign(ground)
        ground.clear()
        ground.planted.clear()
        ground.kinds.clear()


def _judge_foreign(ground: Ground) -> Iterator[Row]:
    """Count the odd ones among what is planted now, and with nothing planted the photos left alone."""
    ground.catalog.scan()
    for source, features in ground.features():
        report = check_catalog(ground.catalog, CheckInputs(features), labels=False)
        listed = {odd.files[0] for odd in report.findings["odd"]}
        if not ground.planted:
            n = len(ground.photos)
            yield Row("natural photos, left alone", n, n - len(listed), 0, source, goal={"recall": 0.99})
            continue
        photos, groups = ground.known()
        scores = find_outliers(features, groups, [p.label for p in photos]).scores
        # false alarms belong to all kinds together
        wrong = len(listed - ground.planted.keys())
        for kind, planted in ground.kinds.items():
            here = np.array([p.name in planted or p.name not in ground.planted for p in photos])
            truth = np.array([p.name in planted for p in photos])[here]
            found, score = len(listed & planted), float(roc_auc_score(truth, scores[here]))
            goal = {"recall": 0.8, "precision": 0.9} if source == FROZEN and len(planted) == FOREIGN else {}
            yield Row(kind, len(planted), found, wrong, source, score, goal)


def measure_quality(ground: Ground) -> Iterator[Row]:
    """Plant poor versions of photos; as wrong count natural photos that are flagged: look at them."""
    for kind, make in POOR.items():
        for path in ground.choose(round(SHARE * len(ground.photos))):
            ground.plant(kind, path, encode(make(open_rgb(path), ground.rng), quality=92))
    findings = ground.look().findings["quality"]
    for kind, names in ground.kinds.items():
        found = {f.files[0] for f in findings if f.facts["kind"] == kind}
        natural = sorted(found - ground.planted.keys())
        yield Row(kind, len(names), len(found & names), len(natural), names={"wrong": natural})


def _find_partners(groups: Iterable[Finding]) -> dict[str, set[str]]:
    """Return the other files of each file's groups."""
    found: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        for name in group.files:
            found[name] |= set(group.files) - {name}
    return found


def _judge_copies(
    ground: Ground,
    kind: str,
    names: set[str],
    found: dict[str, set[str]],
    goal: dict[str, float],
    same: Any = None,
) -> Row:
    """Count the copies that are grouped with their original, and the wrong members of their groups.

    A member is right if it comes from the same photo, or from one of which `same` holds the same pixels.
    """

    def agree(a: str, b: str) -> bool:
        a, b = ground.planted.get(a, a), ground.planted.get(b, b)
        return a == b or (same is not None and same[a] == same[b])

    missed = sorted(name for name in names if ground.planted[name] not in found[name])
    wrong = sorted((name, other) for name in names for other in found[name] if not agree(name, other))
    details = {"missed": missed[:50], "wrong": wrong[:50]}
    return Row(kind, len(names), len(names) - len(missed), len(wrong), goal=goal, names=details)


def _count_hits(truth: Any, flagged: Any) -> tuple[int, int]:
    flagged = np.asarray(flagged)
    return int((truth & flagged).sum()), int((~truth & flagged).sum())


def measure(kind: str, bench: Bench) -> list[Table]:
    """Plant one kind of faults in each folder, as often as it is to be repeated."""
    options, tables = bench.options, []
    bundle = ModelBundle.load(options.model) if options.model else None
    for source in bench.folders:
        other = options.foreign or next((f for f in bench.folders if f != source), None)
        folder, foreign = bench.copy(source), find_photos(other) if other else []
        photos = find_photos(folder)
        rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        with Catalog(folder) as catalog:
            for seed in range(options.seed, options.seed + bench.repeats):
                tell(f"{source.name}: {kind}, seed {seed}")
                rng = np.random.default_rng([seed, list(MEASURES).index(kind)])
                ground = Ground(folder, photos, catalog, bundle, foreign, rng)
                try:
                    for row in MEASURES[kind](ground):
                        rows[row.fault, row.source].append(row)
                finally:
                    ground.clear()
        body = [_add_up(some).cells() for some in rows.values()]
        tables.append(Table(f"{source.name}, {kind}", HEADS, body, list(rows.values())))
    return tables


def _add_up(rows: Sequence[Row]) -> Row:
    n, found, wrong = (sum(getattr(row, key) for row in rows) for key in ("n", "found", "wrong"))
    return replace(rows[0], n=n, found=found, wrong=wrong, score=float(np.mean([row.score for row in rows])))


MEASURES: dict[str, Callable[[Ground], Iterator[Row]]] = {
    "unreadable": measure_unreadable,
    "identical": measure_identical,
    "near": measure_near,
    "labels": measure_labels,
    "foreign": measure_foreign,
    "quality": measure_quality,
}
PARTS = {kind: partial(measure, kind) for kind in MEASURES}
