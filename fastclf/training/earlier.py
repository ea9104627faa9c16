"""The model that a training goes on from: whether it can, and its splits respected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backbone import PACKAGED
from ..catalog import Catalog, Dataset
from ..errors import PhotosError, UsageError
from ..head import OFF, find_shift
from ..model import BODY, PUBLISHED, ModelBundle
from ..photos import TEST, TRAIN, VALID, Progress
from ..system import recover_folder
from .options import AUGMENTATIONS, RANDOM_CROP


@dataclass(frozen=True)
class EarlierModel:
    """A bundle to go on from."""

    bundle: ModelBundle

    @property
    def arch(self) -> str:
        """Its architecture."""
        return self.bundle.manifest.arch

    @property
    def size(self) -> int:
        """Height and width of its input in pixels."""
        return self.bundle.preprocess.input_size[-1]

    @property
    def resize(self) -> str:
        """How photos reach that size; random crops are for training only and stand in the record."""
        named = self.bundle.manifest.training.resize
        return named if named in (RANDOM_CROP, PUBLISHED) else self.bundle.preprocess.method

    @property
    def augment(self) -> str | None:
        """The augmentation that it was trained with, if that is on record."""
        name = self.bundle.manifest.training.augment
        return name if name in tuple(AUGMENTATIONS) else None

    @property
    def is_general(self) -> bool:
        """Whether its body never learned from its photos: only a head was trained."""
        head = self.bundle.manifest.training.head
        return head is not None and not head.own_features

    @property
    def unshifted_bias(self) -> npt.NDArray[np.float32]:
        """The (K,) biases of its head as training left them, before its classes were evened out."""
        bundle, (_, bias) = self.bundle, self.bundle.head
        learned = [row.label for row in bundle.read_photos() if row.split == TRAIN]
        targets = np.array([bundle.vocab.index(name) for name in learned if name in bundle.vocab], int)
        if len(np.unique(targets)) < len(bundle.vocab):
            return bias
        shift = find_shift(targets, bundle.manifest.training.balance or OFF)
        return bias if shift is None else (bias - shift).astype(np.float32)

    @property
    def facts(self) -> dict[str, Any]:
        """What the record of the training says of it."""
        return {"created": self.bundle.manifest.created, "features_id": self.bundle.manifest.features_id}


def open_earlier(path: str | Path, arch: str | None) -> EarlierModel:
    """Open the bundle to go on from; it has to hold weights, and those of `arch` where one is wanted."""
    recover_folder(Path(path))
    bundle = ModelBundle.load(path)
    if BODY not in bundle.manifest.files and not _stands_on_packaged(bundle):
        raise UsageError(
            "The model {path} holds no {body}, so it cannot be trained further: it was imported, or "
            "written by an older fastclf. Train without --from, or go on in fastai from its export.pkl.",
            path=path,
            body=BODY,
        )
    if BODY in bundle.manifest.files:
        bundle.require(BODY)
    earlier = EarlierModel(bundle)
    if arch is not None and arch != earlier.arch:
        raise UsageError(
            "The model {path} is a {arch} and --arch says {wanted}. Leave --arch out, or train without "
            "--from.",
            path=path,
            arch=earlier.arch,
            wanted=arch,
        )
    return earlier


def _stands_on_packaged(bundle: ModelBundle) -> bool:
    """Return whether the body is the one whose weights come by pip: a model does not repeat these."""
    return bundle.manifest.licences.weights == PACKAGED.licence and bundle.manifest.arch == PACKAGED.arch


def adopt_splits(earlier: EarlierModel, folder: str | Path, progress: Progress | None = None) -> None:
    """Let the folder's catalog keep the splits that the earlier model was trained with.

    PhotosError is raised, and no split is changed, if photos that it was trained on are to judge it today.
    """
    rows = earlier.bundle.read_photos()
    learned = {row.sha256 for row in rows if row.split == TRAIN}
    with Catalog.of_photos(folder) as catalog:
        catalog.scan(progress)
        held = [p for p in catalog.photos().photos if p.split in (VALID, TEST)]
        _refuse_learned(earlier, folder, {p.sha256 for p in held} & learned)
        catalog.adopt_splits({row.sha256: (row.group, row.split) for row in rows})


def check_splits(earlier: EarlierModel, data: Dataset) -> None:
    """Refuse to judge on photos that the earlier model learned, wherever their splits came from."""
    learned = {row.sha256 for row in earlier.bundle.read_photos() if row.split == TRAIN}
    held = {row.photo.sha256 for row in data.rows if row.split in (VALID, TEST)}
    _refuse_learned(earlier, data.photos.folder, held & learned)


def _refuse_learned(earlier: EarlierModel, folder: str | Path, known: Collection[str]) -> None:
    if known:
        raise PhotosError(
            "{n} photos that {path} was trained on stand in the validation or test "
            "split of {folder}, so its figures would flatter. Train without --from, or on the "
            "photos and splits that it was trained with.",
            n=len(known),
            path=earlier.bundle.path,
            folder=folder,
        )
