"""A fastai Learner, in memory or exported elsewhere, becomes a bundle that answers like it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastai
import timm
import torch
from fastai.vision.all import Learner

from ...card import write_bundle
from ...errors import ExportError, LearnerError, UsageError, describe_error
from ...evaluation import calibrate_bundle
from ...model import (
    IMPORTED,
    MANIFEST,
    Manifest,
    ModelBundle,
    Parity,
    PhotoRow,
    Predictor,
    Preprocess,
    TrainingRecord,
    check_target,
    check_trusted,
    python_version,
    write_photos,
)
from ...photos import TRAIN, VALID
from ...system import replaced_folder, scratch_folder
from ..export import ExportNet, compute_features_id, write_network
from ..network import read_preprocess
from .batch_resize import find_batch_resize
from .comparing import compare, find_tested
from .live import LearnedPhoto, answer_learned, export_live, find_learned, list_rows
from .reading import name_classes, read_activation, read_arch, read_vocab
from .unpickling import open_learner, read_origin

UNKNOWN = "Nobody knows which photos it was trained on, so no accuracy is claimed and no temperature fitted."
_LIVE = "a Learner in memory"


def import_learner(
    learner: str | Path | Learner,
    out: str | Path,
    *,
    trust_pickle: bool = False,
    title: str = "",
    class_names: Sequence[str] | None = None,
    photos: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> ModelBundle:
    """Turn a Learner, or the file that `learn.export` wrote, into a bundle that is proven to answer like it.

    Of a Learner as it stands in a notebook the photos are known, too: its own training and validation photos
    are the bundle's, so that its validation accuracy is told and `evaluate` is honest.

    Parameters
    ----------
    learner
        A Learner, which stays as it is; or the file of an exported one. That is a pickle: opening it runs
        whatever code is in it.
    out
        Folder of the bundle; an earlier bundle there is replaced in one step.
    trust_pickle
        Whether the file may be opened; a Learner in memory needs no leave.
    title
        The dashboard's title.
    class_names
        Other names for the classes, in the order of the Learner's vocab.
    photos
        Folder of photos, at any depth, of which up to 16 are compared on; by default validation photos of
        the Learner are, or drawn pictures.
    say
        Called with sentences for the user.

    Returns
    -------
    ModelBundle
        The written model, whose answers were compared with the Learner's.

    Raises
    ------
    UsageError
        If the file is missing or not trusted, or `out` holds something else.
    LearnerError
        If it does not open here, or does something else than to tell photos apart.
    ExportError
        If the bundle's probabilities differ from the Learner's by more than 1e-3 on a photo.

    Examples
    --------
    >>> from fastai.vision.all import ImageDataLoaders, Resize, vision_learner
    >>> dls = ImageDataLoaders.from_folder(
    ...     "photos/bears", valid_pct=0.25, seed=0, item_tfms=Resize(32, method="squish"), bs=8, num_workers=0
    ... )
    >>> learn = vision_learner(dls, "test_resnet", pretrained=False)
    >>> bundle = import_learner(learn, "model-2")
    >>> bundle.vocab
    ['black', 'grizzly', 'teddy']
    """
    target = Path(out).resolve()
    with scratch_folder("import") as scratch:
        if isinstance(learner, Learner):
            check_target(target)
            read_vocab(learner)  # what cannot be imported is refused before it is written down
            source, learned = Path(scratch, "export.pkl"), find_learned(learner)
            export_live(learner, source)
        else:
            source, learned = Path(learner), []
            _check_call(source, target, trust_pickle)
        importing = _Import(source, learned, Path(scratch), photos, live=isinstance(learner, Learner))
        manifest = importing.write(target, title, class_names)
    if say and manifest.parity:
        _tell(say, manifest, manifest.parity, importing.vocab, Path(out))
    return ModelBundle.load(out)


class _Import:
    """An opened Learner on its way into a bundle.

    Parameters
    ----------
    source
        The exported Learner.
    learned
        The photos that it is known to have learned from or been validated on.
    scratch
        A folder for a while.
    photos
        A folder of photos to compare on.
    live
        Whether it was exported here and now.
    """

    def __init__(
        self,
        source: Path,
        learned: Sequence[LearnedPhoto],
        scratch: Path,
        photos: str | Path | None,
        *,
        live: bool,
    ) -> None:
        self.source, self.learned, self.live = source, learned, live
        self.learn = open_learner(source)
        self.vocab, self.act = read_vocab(self.learn), read_activation(self.learn)
        self.tested = find_tested(photos, scratch, [p.path for p in learned if p.split == VALID])

    def write(self, target: Path, title: str, class_names: Sequence[str] | None) -> Manifest:
        """Write the bundle and return its manifest."""
        names = name_classes(self.vocab, class_names)
        preprocess = read_preprocess(self.learn)
        net = _build_net(self.learn, preprocess, len(self.vocab))
        rows = list_rows(self.learned, names)
        manifest = self._describe(net, preprocess, rows, title=title, vocab=names)
        with replaced_folder(target, MANIFEST) as staging:
            write_network(net, preprocess, staging)
            write_photos(staging, rows)
            shutil.copyfile(self.source, staging / "export.pkl")
            bundle = ModelBundle(staging, manifest)
            parity = compare(self.learn, net, bundle, self.tested, self.act)
            manifest = replace(self._judge(bundle), parity=parity)
            write_bundle(staging, manifest)
        return manifest

    def _judge(self, bundle: ModelBundle) -> Manifest:
        """Return the manifest with what its own photos say of it, where there are enough."""
        parts = {split: [p for p in self.learned if p.split == split] for split in (TRAIN, VALID)}
        if {p.target for p in parts[TRAIN]} != set(range(len(self.vocab))) or not parts[VALID]:
            return bundle.manifest
        with Predictor(bundle) as predictor:
            train, valid = (answer_learned(predictor, part) for part in parts.values())
        if not len(valid.targets) or set(train.targets) != set(range(len(self.vocab))):
            return bundle.manifest
        return calibrate_bundle(bundle.manifest, bundle.path, train, valid)

    def _describe(
        self, net: ExportNet, preprocess: Preprocess, rows: Sequence[PhotoRow], **said: Any
    ) -> Manifest:
        origin = read_origin(self.source)
        opened = {"fastai": fastai.__version__, "torch": torch.__version__, "timm": timm.__version__}
        facts = {"from": _LIVE if self.live else self.source.name, **origin, "opened_with": opened}
        counts = Counter(row.split for row in rows)
        python = origin["python"]
        written = f"written on Python {python}" if python else f"opened on {python_version()}"
        return Manifest(
            arch=read_arch(self.learn),
            features_id=compute_features_id(net, preprocess),
            preprocess=preprocess,
            split={"how": "learner", "seed": None, **counts} if rows else {},
            training=TrainingRecord(mode=IMPORTED, more=facts if rows else {**facts, "note": UNKNOWN}),
            export_pkl=f"the fastai Learner as it was imported; {written}",
            **said,
        )


def _check_call(source: Path, target: Path, trust_pickle: bool) -> None:
    """Refuse a call that cannot be meant; nothing of the file is opened here."""
    check_trusted(source, trust_pickle)
    if source.resolve().is_relative_to(target):
        raise UsageError(
            "{source} lies in {target}, which is replaced. Name another folder with --out.",
            source=source,
            target=target,
        )
    check_target(target)


def _build_net(learn: Learner, preprocess: Preprocess, classes: int) -> ExportNet:
    _, height, width = preprocess.input_size
    resize = find_batch_resize(learn, (height, width))
    example = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    if resize is not None:
        example = resize(example)
    try:
        net = ExportNet(learn, resize, example)
    except RuntimeError as e:
        if isinstance(e, ExportError):
            raise
        raise LearnerError(
            "This Learner's network does not take the Learner's own photos, {shape} "
            "({reason}). Export one that predicts in the notebook.",
            shape=tuple(example.shape[1:]),
            reason=describe_error(e),
        ) from e
    if net.head.out_features != classes:
        raise LearnerError(
            "This Learner's network gives {given} numbers for {classes} classes; one a class is needed.",
            given=net.head.out_features,
            classes=classes,
        )
    return net


def _tell(
    say: Callable[[str], None], manifest: Manifest, parity: Parity, vocab: list[str], target: Path
) -> None:
    names = manifest.vocab
    renamed = "" if names == vocab else f" (in the Learner: {', '.join(vocab)})"
    say(f"{manifest.arch}, {len(names)} classes: {', '.join(names)}{renamed}.")
    say(
        f"It answers like the Learner: probabilities differ by {parity.largest_difference:.1g} at most on "
        f"{parity.photos} {parity.of} (allowed: {parity.allowed:g})."
    )
    if parity.turned:
        say(
            f"{parity.turned} of these photos are read otherwise by fastai (which turns no photo upright "
            "and lays none over white); they were compared as fastclf reads them."
        )
    if manifest.metrics.valid:
        right, n = manifest.metrics.valid["accuracy"], manifest.metrics.valid["n"]
        say(f"Its own split is kept: right on {right:.1%} of its {n} validation photos.")
    else:
        say(f"{UNKNOWN} Run `fastclf evaluate {target} DIR` on photos that it was not trained on.")
