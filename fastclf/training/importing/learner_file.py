"""A fastai Learner that was exported elsewhere becomes a bundle that answers like it."""

from __future__ import annotations

import shutil
import tempfile
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
from ...model import (
    IMPORTED,
    Manifest,
    ModelBundle,
    Parity,
    Preprocess,
    TrainingRecord,
    check_target,
    check_trusted,
    python_version,
    write_photos,
)
from ...system import replaced_folder
from ..export import ExportNet, compute_features_id, write_network
from ..network import read_preprocess
from .batch_resize import find_batch_resize
from .comparing import compare, find_tested
from .reading import name_classes, read_activation, read_arch, read_vocab
from .unpickling import open_learner, read_origin

UNKNOWN = "Nobody knows which photos it was trained on, so no accuracy is claimed and no temperature fitted."


def import_learner(
    path: str | Path,
    out: str | Path,
    *,
    trust_pickle: bool = False,
    title: str = "",
    class_names: Sequence[str] | None = None,
    photos: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> ModelBundle:
    """Turn what `learn.export` wrote into a bundle, and prove that it answers like the Learner.

    Parameters
    ----------
    path
        The exported Learner. It is a pickle: opening it runs whatever code is in it.
    out
        Folder of the bundle; an earlier bundle there is replaced in one step.
    trust_pickle
        Whether the file may be opened.
    title
        The dashboard's title.
    class_names
        Other names for the classes, in the order of the Learner's vocab.
    photos
        Folder of photos, at any depth, of which up to 16 are compared on; by default drawn pictures are.
    say
        Called with sentences for the user.

    Raises
    ------
    UsageError
        If the file is missing or not trusted, or `out` holds something else.
    LearnerError
        If it does not open here, or does something else than to tell photos apart.
    ExportError
        If the bundle's probabilities differ from the Learner's by more than 1e-3 on a photo.
    """
    source, target = Path(path), Path(out).resolve()
    _check_call(source, target, trust_pickle)
    learn = open_learner(source)
    vocab, act = read_vocab(learn), read_activation(learn)
    names = name_classes(vocab, class_names)
    preprocess = read_preprocess(learn)
    net = _build_net(learn, preprocess, len(vocab))
    manifest = _describe(learn, net, preprocess, source, title=title, vocab=names)
    with replaced_folder(target) as staging, tempfile.TemporaryDirectory(prefix="fastclf-import-") as scratch:
        write_network(net, preprocess, staging)
        write_photos(staging, [])
        shutil.copyfile(source, staging / "export.pkl")
        tested = find_tested(photos, Path(scratch))
        parity = compare(learn, net, ModelBundle(staging, manifest), tested, act)
        write_bundle(staging, replace(manifest, parity=parity))
    if say:
        _tell(say, manifest, parity, vocab, target)
    return ModelBundle.load(target)


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


def _describe(learn: Learner, net: ExportNet, preprocess: Preprocess, source: Path, **said: Any) -> Manifest:
    origin = read_origin(source)
    opened = {"fastai": fastai.__version__, "torch": torch.__version__, "timm": timm.__version__}
    facts = {"from": source.name, **origin, "opened_with": opened, "note": UNKNOWN}
    python = origin["python"]
    written = f"written on Python {python}" if python else f"opened on {python_version()}"
    return Manifest(
        arch=read_arch(learn),
        features_id=compute_features_id(net, preprocess),
        preprocess=preprocess,
        training=TrainingRecord(mode=IMPORTED, more=facts),
        export_pkl=f"the fastai Learner as it was imported; {written}",
        **said,
    )


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
    say(f"{UNKNOWN} Run `fastclf evaluate {target} DIR` on photos that it was not trained on.")
