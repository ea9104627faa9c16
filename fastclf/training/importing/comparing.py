"""Whether an imported model sees and says what its Learner does, on pictures read from files by both."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.vision.all import Learner, PILImage
from PIL import Image

from ...errors import ExportError, PhotosError, UnreadablePhotoError
from ...model import ModelBundle, Parity, Predictor
from ...photos import MAX_FOLDER_BYTES, decode_photo, encode_png, list_photo_files
from ..export import PARITY, ExportNet, check_parity

_logger = logging.getLogger(__name__)

_MOST_PHOTOS = 16
# Width and height of the drawn pictures in pixels: landscape, upright, square, odd, long, small and large.
_SIZES = (
    (640, 480), (480, 640), (300, 300), (97, 131), (900, 200), (150, 601),
    (33, 40), (1280, 853), (224, 224), (256, 192), (501, 333), (1024, 1024),
)  # fmt: skip


@dataclass(frozen=True)
class Tested:
    """What both sides are compared on: files that fastai opens, and paths that fastclf opens.

    Of `turned` photos fastai alone would read something else, so that it is given what fastclf sees.
    """

    files: list[Path]
    paths: list[Path]
    words: str
    turned: int = 0


def find_tested(photos: str | Path | None, scratch: Path, own: Sequence[Path] = ()) -> Tested:
    """Return what to compare on: up to 16 readable photos of a folder (at any depth), or drawn pictures.

    Where no folder is named, the Learner's `own` photos are taken before those are drawn.
    """
    if photos is None:
        tested = _choose_readable(own[:: max(1, len(own) // _MOST_PHOTOS)], scratch, "of its own photos")
        if tested.paths:
            return tested
        drawn = _draw_pictures(scratch)
        return Tested(drawn, drawn, "drawn pictures")
    folder = Path(photos)
    if not folder.is_dir():
        raise PhotosError(
            "There is no folder {folder}. Name a folder of photos with --photos.", folder=folder
        )
    tested = _choose_readable(_spread(folder), scratch, f"photos of {folder.resolve().name}")
    if not tested.paths:
        raise PhotosError(
            "{folder} holds no readable photo to compare on. Name a folder with some.", folder=folder
        )
    return tested


def _choose_readable(found: Sequence[Path], scratch: Path, words: str) -> Tested:
    files: list[Path] = []
    paths: list[Path] = []
    for path in found:
        file = _find_readable(path, scratch / f"{len(paths)}.png")
        if file is not None:
            files.append(file)
            paths.append(path)
        if len(paths) == _MOST_PHOTOS:
            break
    turned = sum(a != b for a, b in zip(files, paths, strict=True))
    return Tested(files, paths, words, turned)


def _spread(folder: Path) -> list[Path]:
    """Return the photos below a folder, some from all over it first."""
    found = [file.path for file in list_photo_files(folder) if file.size >= 0]
    first = found[:: max(1, len(found) // _MOST_PHOTOS)]
    return list(dict.fromkeys([*first, *found]))


def _find_readable(path: Path, copy: Path) -> Path | None:
    """Return what fastai reads as fastclf reads the photo, None where nobody can."""
    try:
        decoded = decode_photo(path, max_bytes=MAX_FOLDER_BYTES)
    except UnreadablePhotoError:
        return None
    if decoded.plain:
        return path
    copy.write_bytes(encode_png(decoded.image))
    return copy


def compare(learn: Learner, net: ExportNet, bundle: ModelBundle, tested: Tested, act: Any = None) -> Parity:
    """Compare a Learner with its bundle, and return what the manifest says of it.

    What the networks see is compared as well as what they say: a network that is sure of everything hides
    another crop in equal probabilities. ExportError is raised if either differ by more than 1e-3.
    """
    items = _build_items(learn, tested.files)
    with Predictor(bundle) as predictor:
        _compare_inputs(learn, net, predictor, items, tested.paths)
        advice = "Please report what kind of Learner it is."
        worst = check_parity(learn, predictor, tested.paths, items, act=act, advice=advice)
    n = len(tested.paths)
    return Parity(photos=n, of=tested.words, turned=tested.turned, largest_difference=worst, allowed=PARITY)


def _compare_inputs(
    learn: Learner, net: ExportNet, predictor: Predictor, items: list[Any], paths: list[Path]
) -> None:
    worst = 0.0
    for item, path in zip(items, paths, strict=True):
        theirs = learn.dls.test_dl([item], bs=1, num_workers=0).one_batch()[0]
        image = predictor.preprocess.decode(path, max_bytes=MAX_FOLDER_BYTES).image
        ours = net.prepare(torch.from_numpy(predictor.preprocess.batch([image]))).numpy()
        if tuple(theirs.shape) != ours.shape:
            raise ExportError(
                "The Learner's network sees photos as {theirs}, the exported one as "
                "{ours}, so the model was not written. Please report what kind of Learner it is.",
                theirs=tuple(theirs.shape[1:]),
                ours=ours.shape[1:],
            )
        worst = max(worst, float(np.abs(theirs.numpy() - ours).max()))
    if not worst <= PARITY:
        raise ExportError(
            "The Learner's network sees other pixels than the exported one (by up to {worst:.2g} after "
            "normalising), so the model was not written: its DataLoaders do something to photos besides "
            "resizing, aug_transforms and Normalize. Train without that, or report what it is.",
            worst=worst,
        )


def _build_items(learn: Learner, files: list[Path]) -> list[Any]:
    """Return the files as the Learner takes them: paths, their names, or pictures that fastai has opened."""
    for build in (Path, str):
        try:
            learn.dls.test_dl([build(files[0])], bs=1, num_workers=0).one_batch()
        except Exception:  # what a label table's Learner raises on a path is anything
            _logger.debug("the Learner takes no %s", build.__name__, exc_info=True)
        else:
            return [build(file) for file in files]
    return [PILImage.create(file) for file in files]


def _draw_pictures(folder: Path) -> list[Path]:
    """Write twelve pictures, PNG and JPEG by turns, and return their paths; they are the same ones each time.

    By turns they are smooth, of patches with edges, and noisy.
    """
    paths = []
    for number, size in enumerate(_SIZES):
        rng = np.random.default_rng([0, number])
        patches = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        edges = Image.Resampling.NEAREST if number % 3 == 1 else Image.Resampling.BICUBIC
        pixels = np.asarray(patches.resize(size, edges), np.float64)
        if number % 3 == 2:
            pixels = pixels + rng.normal(0, 40, pixels.shape)
        path = folder / f"drawn-{number:02d}.{'jpg' if number % 2 else 'png'}"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=92)
        paths.append(path)
    return paths
