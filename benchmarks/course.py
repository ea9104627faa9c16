"""Questions that the fast.ai course leaves open: things off the middle, changed copies, other photos.

So many photos a class are drawn to learn from, all others are judged on; a figure is a mean over the seeds.
What resizing does to photos as they are is in `transfer`, what augmentation does to all layers in
`fine_tuning`.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from fastclf.backbone import Backbone, open_packaged
from fastclf.catalog import load_dataset
from fastclf.evaluation import SeenPhotos, compare, read_reference
from fastclf.evaluation.drift import Reference
from fastclf.head import HeadOptions, fit_head_by_cross_validation, train_head
from fastclf.metrics import compute_softmax
from fastclf.model import ModelBundle, Predictor, open_session

from .harness import Bench, Table, encode, find_photos, for_each_folder, open_rgb, tell
from .transfer import draw, judge_head

DATA = "folders with one sub-folder per class"
A_CLASS = (10, 50)
MOST, NEW = 600, 200
RESIZES = ("published", "crop", "squish", "pad")

Array = np.ndarray
Found = dict[str, float]
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def draw_photos(bench: Bench, folder: Path) -> tuple[list[Path], Array]:
    """Return 600 of a folder's photos, drawn once, and their labels."""
    paths = find_photos(folder)
    some = sorted(np.random.default_rng(0).permutation(len(paths))[: bench.count(MOST)])
    return [paths[i] for i in some], np.array([paths[i].parent.name for i in some])


def extract(body: Backbone, images: list[Image.Image]) -> Array:
    """Return (N, 1280) features of decoded photos."""
    session = open_session(body.graph)
    parts = [images[i : i + 4] for i in range(0, len(images), 4)]
    return np.concatenate(
        [session.run(["features"], {"image": body.preprocess.batch(part)})[0] for part in parts]
    )


# ---- where the thing is not in the middle


def widen(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Put a photo at one end of a wide one, twice as wide as high, on the colour of its edge."""
    edge = np.asarray(image.resize((64, 64)))
    colour = tuple(int(c) for c in np.median(np.concatenate([edge[:, 0], edge[:, -1]]), axis=0))
    wide = Image.new("RGB", (max(2 * image.height, image.width), image.height), colour)
    wide.paste(image, (int(rng.integers(2)) * (wide.width - image.width), 0))
    return wide


def measure_middle(bench: Bench, folder: Path) -> list[Table]:
    """Every way of resizing, on photos as they are and on wide ones with the thing at one end."""
    paths, labels = draw_photos(bench, folder)
    images = [open_rgb(path) for path in paths]
    rng = np.random.default_rng(1)
    kinds = {"as they are": images, "wide, the thing at one end": [widen(image, rng) for image in images]}
    numbers: dict[str, list[float]] = {}
    for resize in RESIZES:
        for kind, shown in kinds.items():
            tell(f"  {folder.name}, {resize}, {kind}")
            features = extract(open_packaged(224, resize), shown)
            for n in A_CLASS:
                found = [judge_head(features, labels, n, seed, None)[0] for seed in range(bench.repeats)]
                numbers.setdefault(resize, []).append(float(np.mean(found)))
    heads = ["folder", "resize", *(f"{kind}, {n} a class" for kind in kinds for n in A_CLASS)]
    rows = [[folder.name, name, *(f"{value:.3f}" for value in found)] for name, found in numbers.items()]
    return [Table(f"{folder.name}: accuracy, {len(paths)} photos", heads, rows, numbers)]


# ---- changed copies of the photos to learn from


def mirror(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


def crop_at_random(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Keep a part of at least a third of the area, anywhere, as `RandomResizedCrop(min_scale=0.35)` does."""
    share = np.sqrt(rng.uniform(0.35, 1))
    width, height = (max(8, round(side * share)) for side in image.size)
    x, y = (
        int(rng.integers(full - part + 1)) for full, part in zip(image.size, (width, height), strict=True)
    )
    return image.crop((x, y, x + width, y + height))


def vary(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Mirror perhaps, turn, zoom, light: what `aug_transforms` does."""
    image = ImageOps.mirror(image) if rng.random() < 0.5 else image
    image = image.rotate(rng.uniform(-10, 10), Image.Resampling.BILINEAR)
    zoom = rng.uniform(1, 1.1)
    image = ImageOps.fit(image, (round(image.width / zoom), round(image.height / zoom)))
    return ImageEnhance.Brightness(image).enhance(rng.uniform(0.8, 1.2))


COPIES: dict[str, tuple[Change | None, int]] = {
    "photos as they are": (None, 0),
    "and mirrored": (mirror, 1),
    "and two random crops": (crop_at_random, 2),
    "and two of mirroring, turns, zoom, light": (vary, 2),
}


def judge_copies(features: Array, copies: list[Array], labels: Array, a_class: int, seed: int) -> float:
    """Return the accuracy on the other photos; copies stay in the fold of their photo."""
    train, test = draw(labels, a_class, seed)
    _, targets = np.unique(labels, return_inverse=True)
    learned = np.concatenate([features[train], *(copy[train] for copy in copies)])
    n = 1 + len(copies)
    head = fit_head_by_cross_validation(
        learned, np.tile(targets[train], n), [str(i) for i in train] * n, seed=seed
    )
    return float((head.compute_logits(features[test].astype(np.float64)).argmax(1) == targets[test]).mean())


def measure_copies(bench: Bench, folder: Path) -> list[Table]:
    """A head that learns from changed copies of its photos, too."""
    paths, labels = draw_photos(bench, folder)
    images, body = [open_rgb(path) for path in paths], open_packaged()
    features, numbers = extract(body, images), {}
    for name, (change, n) in COPIES.items():
        tell(f"  {folder.name}, {name}")
        rng = np.random.default_rng(2)
        copies = [extract(body, [change(image, rng) for image in images]) for _ in range(n) if change]
        numbers[name] = [
            [judge_copies(features, copies, labels, a_class, seed) for seed in range(bench.repeats)]
            for a_class in A_CLASS
        ]
    rows = [
        [folder.name, name, *(f"{np.mean(found):.3f}" for found in parts)] for name, parts in numbers.items()
    ]
    return [
        Table(
            f"{folder.name}: accuracy",
            ["folder", "learned from", *(f"{n} a class" for n in A_CLASS)],
            rows,
            numbers,
        )
    ]


# ---- photos of another kind than those that were learned from


def darken(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.5)


def darken_much(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.2)


def blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 100))


def blur_much(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 30))


def shrink(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Show the whole photo at half its size, on the colour of its edge: taken from twice as far."""
    edge = np.asarray(image.resize((64, 64)))[[0, -1]].reshape(-1, 3)
    far = Image.new("RGB", image.size, tuple(int(c) for c in np.median(edge, axis=0)))
    far.paste(image.resize((image.width // 2, image.height // 2)), (image.width // 4, image.height // 4))
    return far


def by_phone(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lamp light, held askew, some noise, strong compression."""
    image = image.rotate(rng.uniform(-15, 15), Image.Resampling.BILINEAR, fillcolor=(60, 50, 40))
    pixels = np.asarray(image, np.float32) * rng.uniform([0.8, 0.65, 0.4], [0.95, 0.8, 0.6])
    pixels += rng.normal(0, 8, pixels.shape)
    noisy = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return Image.open(io.BytesIO(encode(noisy, quality=35))).convert("RGB")


KINDS: dict[str, Change] = {
    "as they are": lambda image, rng: image,
    "half as bright": darken,
    "a fifth as bright": darken_much,
    "blurred": blur,
    "blurred much": blur_much,
    "from twice as far": shrink,
    "lamp light, askew, noisy": by_phone,
    "grey": lambda image, rng: ImageOps.grayscale(image).convert("RGB"),
}


def train_on_some(bench: Bench, folder: Path, seed: int) -> tuple[ModelBundle, Path, list[Path]]:
    """Return a model of 50 photos a class as `fastclf train` makes it, its folder, and 200 of the others."""
    paths, labels = draw_photos(bench, folder)
    learned, others = draw(labels, max(10, bench.count(50)), seed)
    others = np.random.default_rng(seed).permutation(others)[:NEW]
    own = bench.new_folder() / "photos"
    for i in learned:
        (own / labels[i]).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths[i], own / labels[i] / paths[i].name)
    model = bench.new_folder() / "model"
    bundle = train_head(load_dataset(own, seed=seed), open_packaged(), model, HeadOptions(seed=seed))
    return bundle, own, [paths[i] for i in others]


def judge_kind(bundle: ModelBundle, reference: Reference, photos: list[Image.Image], targets: Array) -> Found:
    """Return how right and how sure a model is of changed photos, and what it and `drift` notice."""
    with Predictor(bundle) as predictor:
        parts = list(predictor.run_files(photos))
    logits, features = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    probs = compute_softmax(logits, bundle.temperature)
    right = probs.argmax(1) == targets
    detector = bundle.detector
    assert detector is not None  # noqa: S101
    scores = detector.ood_score(features)
    unfamiliar = detector.is_unfamiliar(scores)
    names = [str(i) for i in range(len(photos))]
    drift = compare(bundle, SeenPhotos(names, probs.argmax(1), features, scores), reference, "")
    return {
        "right": float(right.mean()),
        "stated": float(probs.max(1).mean()),
        "unfamiliar": float(unfamiliar.mean()),
        "right of the familiar": float(right[~unfamiliar].mean()) if (~unfamiliar).any() else float("nan"),
        "alarm": float(bool(drift.alarms)),
    }


def photograph(path: Path, change: Change, rng: np.random.Generator) -> Image.Image:
    """Return a changed photo as a file of it would be decoded."""
    return Image.open(io.BytesIO(encode(change(open_rgb(path), rng), quality=92))).convert("RGB")


def measure_shift(bench: Bench, folder: Path) -> list[Table]:
    """A model that learned from photos as they are, asked about changed ones."""
    numbers: dict[str, list[Found]] = {name: [] for name in KINDS}
    for seed in range(bench.repeats):
        bundle, own, others = train_on_some(bench, folder, seed)
        reference = read_reference(bundle, own)
        targets = np.array([bundle.vocab.index(path.parent.name) for path in others])
        for name, change in KINDS.items():
            rng = np.random.default_rng(seed)
            found = judge_kind(bundle, reference, [photograph(path, change, rng) for path in others], targets)
            told = ", ".join(f"{k} {v:.3f}" for k, v in found.items())
            tell(f"  {folder.name}, seed {seed}, {name}: {told}")
            numbers[name].append(found)
    rows = []
    for name, found in numbers.items():
        values = [[one[key] for one in found if np.isfinite(one[key])] for key in found[0]]
        *means, _ = (f"{np.mean(some):.1%}" if some else "-" for some in values)
        rows.append([folder.name, name, *means, f"{sum(values[-1]):.0f} of {len(found)}"])
    heads = [
        "folder",
        "photos",
        "right",
        "mean probability",
        "called unfamiliar",
        "right of the others",
        "alarms",
    ]
    return [Table(f"{folder.name}: a model of photos as they are, asked about others", heads, rows, numbers)]


PARTS = {
    "middle": for_each_folder(measure_middle),
    "copies": for_each_folder(measure_copies),
    "shift": for_each_folder(measure_shift),
}
