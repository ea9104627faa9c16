"""Train an earlier model further: its body and head in a Learner, its splits respected."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fastai.vision.all import DataLoaders, Learner
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..catalog import Catalog
from ..errors import PhotosError, UsageError, describe_error
from ..model import BODY, ModelBundle
from ..photos import TEST, TRAIN, VALID, Progress
from ..system import recover_folder
from .data import AUGMENTATIONS, RANDOM_CROP, TrainingData
from .fitting import compute_features, set_head
from .network import add_normalisation, build_learner


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
        random_crop = self.bundle.manifest.training.resize == RANDOM_CROP
        return RANDOM_CROP if random_crop else self.bundle.preprocess.method

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
    def facts(self) -> dict[str, Any]:
        """What the record of the training says of it."""
        return {"created": self.bundle.manifest.created, "features_id": self.bundle.manifest.features_id}


def open_earlier(path: str | Path, arch: str | None) -> EarlierModel:
    """Open the bundle to go on from; it has to hold weights, and those of `arch` where one is wanted."""
    recover_folder(Path(path))
    bundle = ModelBundle.load(path)
    if BODY not in bundle.manifest.files:
        raise UsageError(
            "The model {path} holds no {body}, so it cannot be trained further: it was imported, or "
            "written by an older fastclf. Train without --from, or go on in fastai from its export.pkl.",
            path=path,
            body=BODY,
        )
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


def adopt_splits(earlier: EarlierModel, folder: str | Path, progress: Progress | None = None) -> None:
    """Let the folder's catalog keep the splits that the earlier model was trained with.

    PhotosError is raised, and no split is changed, if photos that it was trained on are to judge it today.
    """
    rows = earlier.bundle.read_photos()
    learned = {row.sha256 for row in rows if row.split == TRAIN}
    with Catalog(folder) as catalog:
        catalog.scan(progress)
        held = [p for p in catalog.photos().photos if p.split in (VALID, TEST)]
        _refuse_learned(earlier, folder, {p.sha256 for p in held} & learned)
        catalog.adopt_splits({row.sha256: (row.group, row.split) for row in rows})


def check_splits(earlier: EarlierModel, data: TrainingData) -> None:
    """Refuse to judge on photos that the earlier model learned, wherever their splits came from."""
    learned = {row.sha256 for row in earlier.bundle.read_photos() if row.split == TRAIN}
    held = data.frame[data.frame["split"].isin((VALID, TEST))]
    _refuse_learned(earlier, data.photos.folder, set(held["sha256"]) & learned)


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


def build_continued(
    dls: DataLoaders,
    data: TrainingData,
    earlier: EarlierModel,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Learner, bool]:
    """Build a Learner that answers like the earlier model, for today's classes.

    A class that the model knows keeps its row of the head, a class that is gone loses it, and a new one
    begins at zero. Also returned is whether every class of today was known, so that the head needs no
    training of its own. The `dls` are of ``pretrained=True``, so that they do not normalise.
    """
    learn = build_learner(dls, earlier.arch, pretrained=False, seed=seed)
    _load_body(learn, earlier.bundle)
    old, new = earlier.bundle.vocab, list(dls.vocab)
    came, went = [c for c in new if c not in old], [c for c in old if c not in new]
    if came:
        say(f"New classes: {', '.join(came)}.")
    if went:
        say(f"Classes that are gone: {', '.join(went)}.")
    kept = [new.index(name) for name in new if name in old]
    known = [old.index(name) for name in new if name in old]
    weight, bias = (np.zeros((len(new), *rows.shape[1:]), np.float32) for rows in earlier.bundle.head)
    weight[kept], bias[kept] = (rows[known] for rows in earlier.bundle.head)
    features = compute_features(learn, data, (TRAIN,))[TRAIN]
    set_head(learn, weight, bias, features[np.isfinite(features).all(1)])
    learn.freeze()
    return learn, not came


def _load_body(learn: Learner, bundle: ModelBundle) -> None:
    """Give the Learner a bundle's weights, and its normalisation."""
    if bundle.preprocess.mean is not None and bundle.preprocess.std is not None:
        add_normalisation(learn, bundle.preprocess.mean, bundle.preprocess.std)
    try:
        learn.model[0].load_state_dict(load_file(bundle.path / BODY))
    except (RuntimeError, SafetensorError) as e:
        raise UsageError(
            "The weights in {file} do not fit {arch} ({reason}). Train without --from.",
            file=bundle.path / BODY,
            arch=bundle.manifest.arch,
            reason=describe_error(e),
        ) from None
