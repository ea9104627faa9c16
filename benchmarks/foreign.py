"""What a model's network says of its own photos, of foreign ones and of pictures that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from planting import draw_noise, draw_plain, find_photos
from verdicts import tell

from fastclf.model import ModelBundle, Predictor
from fastclf.photos import MAX_FOLDER_BYTES, TEST, TRAIN, VALID, decode_photo
from fastclf.system import hash_file

Array = np.ndarray
Draw = Callable[[tuple[int, int], np.random.Generator], Image.Image]

_BATCH = 16
N_DRAWN = 100


@dataclass(frozen=True)
class Seen:
    """The network's answers about a set of photos: (N, D) features and (N, K) logits."""

    features: Array
    logits: Array


@dataclass(frozen=True)
class Ground:
    """A model with what it was trained on and what it never saw.

    Attributes
    ----------
    name
        Of its folder of photos.
    bundle
        The model.
    own
        Its photos by split.
    targets
        (N,) classes of the training photos.
    groups
        The photos' groups by split; copies share one.
    foreign
        By name: photos of other folders, and drawn pictures in `DRAWN`.
    """

    name: str
    bundle: ModelBundle
    own: dict[str, Seen]
    targets: Array
    groups: dict[str, list[str]]
    foreign: dict[str, Seen]


def _draw_texture(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw clouds: noise of several sizes on top of each other, in a random tint."""
    grey = np.zeros((size[1], size[0]))
    for cells in (2, 4, 8, 16, 32):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells), np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        grey += np.asarray(coarse, float) / cells
    grey = (grey - grey.min()) / max(np.ptp(grey), 1e-9)
    low, high = rng.uniform(0, 255, (2, 3))
    return Image.fromarray((low + grey[..., None] * (high - low)).astype(np.uint8))


def _draw_stripes(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw waves of a random direction, width and tint, like cloth or sand."""
    y, x = np.mgrid[: size[1], : size[0]] / max(size)
    angle, waves = rng.uniform(0, np.pi), rng.uniform(3, 25)
    grey = 0.5 + 0.5 * np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)))
    low, high = rng.uniform(0, 255, (2, 3))
    return Image.fromarray((low + grey[..., None] * (high - low)).astype(np.uint8))


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
    "noise": draw_noise,
    "plain colour": draw_plain,
    "clouds": _draw_texture,
    "stripes": _draw_stripes,
    "shapes": _draw_shapes,
}


def read_ground(model: Path, folder: Path, others: Iterable[Path], cache: Path) -> Ground:
    """Ask a model about its own folder, the other folders and drawn pictures.

    Parameters
    ----------
    model
        The bundle.
    folder
        What it was trained on.
    others
        Folders of other photos.
    cache
        Where the answers are kept from one run to the next.
    """
    bundle = ModelBundle.load(model)
    rows = {row.sha256: row for row in bundle.read_photos()}
    mine = [(path, rows.get(hash_file(path))) for path in find_photos(folder)]
    known = [(path, row) for path, row in mine if row and row.label in bundle.vocab]
    with Predictor(bundle) as predictor:
        reader = _Reader(predictor, cache / bundle.manifest.features_id[:16])
        own = {
            split: reader.read(f"own-{split}", _open([p for p, row in known if row.split == split]))
            for split in (TRAIN, VALID, TEST)
        }
        foreign = {other.name: reader.read(other.name, _open(find_photos(other))) for other in others}
        for number, (name, draw) in enumerate(DRAWN.items()):
            foreign[name] = reader.read(name, _draw_many(draw, number))
    groups = {split: [row.group for _, row in known if row.split == split] for split in own}
    targets = np.array([bundle.vocab.index(row.label) for _, row in known if row.split == TRAIN])
    return Ground(folder.name, bundle, own, targets, groups, foreign)


class _Reader:
    """Asks the network, or the file of an earlier run."""

    def __init__(self, predictor: Predictor, cache: Path) -> None:
        self.predictor, self.cache = predictor, cache
        cache.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, images: Iterator[Image.Image]) -> Seen:
        file = self.cache / f"{name}.npz"
        if not file.exists():
            tell(f"{self.cache.name}: {name}")
            found: list[tuple[Any, Any]] = []
            while batch := [image for _, image in zip(range(_BATCH), images, strict=False)]:
                found.append(self.predictor.run(self.predictor.preprocess.batch(batch)))
            logits, features = (np.concatenate(parts) for parts in zip(*found, strict=True))
            np.savez(file, features=features, logits=logits)
        with np.load(file) as arrays:
            return Seen(arrays["features"], arrays["logits"])


def _open(paths: Iterable[Path]) -> Iterator[Image.Image]:
    for path in paths:
        yield decode_photo(path, max_bytes=MAX_FOLDER_BYTES).image


def _draw_many(draw: Draw, seed: int) -> Iterator[Image.Image]:
    rng = np.random.default_rng(seed)
    for _ in range(N_DRAWN):
        yield draw((320, 240), rng)
