"""From a trained Learner to a bundle that answers like it, or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fastai.vision.all import Learner
from PIL.Image import Image

from ...card import write_bundle
from ...catalog import Dataset
from ...errors import ExportError
from ...evaluation import Answers, calibrate_bundle, write_examples
from ...head import LinearHead, add_outlook
from ...metrics import compute_softmax
from ...model import (
    BODY,
    MANIFEST,
    NOT_RECORDED,
    FeatureCache,
    Licences,
    Manifest,
    ModelBundle,
    Parity,
    Predictor,
    Preprocess,
    SealedTest,
    TrainingRecord,
    check_target,
    compute_logits,
    extract_features,
    python_version,
    write_photos,
)
from ...photos import MAX_FOLDER_BYTES, TEST, TRAIN, VALID, build_training_file
from ...system import replaced_folder
from ..network import read_preprocess, save_body
from .graph import ExportNet, compute_features_id, write_network

PARITY = 1e-3
_PARITY_PHOTOS = 16


def export_bundle(
    learn: Learner,
    data: Dataset,
    out: str | Path,
    *,
    arch: str,
    training: dict[str, Any] | None = None,
    photo_licence: str = NOT_RECORDED,
    weight_licence: str = NOT_RECORDED,
    **about: Any,
) -> ModelBundle:
    """Write the bundle of a trained Learner and prove that it answers like the Learner.

    The test photos are listed in the bundle and not looked at.

    Parameters
    ----------
    learn
        From `build_learner`, trained.
    data
        The photos that it was trained on.
    out
        Folder of the bundle; an earlier bundle there is replaced in one step.
    arch
        The architecture's name.
    training
        The record of the training, for the manifest.
    photo_licence
        The licence of the photos that have none on record.
    weight_licence
        The licence of the weights that the training began with.
    **about
        ``title``, ``intro``, ``colour``, ``translations`` and ``recipe`` of the `Manifest`.

    Returns
    -------
    ModelBundle
        The written model, opened and checked.

    Raises
    ------
    ExportError
        If the exported model's probabilities differ from the Learner's by more than 1e-3 on a real photo.
    UsageError
        If `out` is a folder with something else in it.

    Examples
    --------
    >>> from fastclf.catalog import load_dataset
    >>> from fastclf.training import TrainOptions, begin_training, export_bundle, fit_layers
    >>> from fastclf.training import record_training, settle_options
    >>> data = load_dataset("photos/bears")
    >>> options = settle_options(TrainOptions(mode="head", size=32), data, say=lambda words: None)

    >>> learn, head = begin_training(data, options)
    >>> record = record_training(options, fit_layers(learn, data, options), head)
    >>> bundle = export_bundle(learn, data, "model-2", arch=options.arch, training=record, title="Bears")
    >>> bundle.title, bundle.manifest.parity.largest_difference < 0.001
    ('Bears', True)
    """
    target = Path(out).resolve()
    check_target(target)
    preprocess = read_preprocess(learn)
    learn.model.eval()
    net = ExportNet(learn)
    manifest = Manifest(
        arch=arch,
        vocab=list(learn.dls.vocab),
        features_id=compute_features_id(net, preprocess),
        preprocess=preprocess,
        sealed_test=SealedTest(n=len(data.part(TEST)), openings=list(data.openings)),
        split=dict(data.split),
        training=TrainingRecord.from_dict(training or {}),
        licences=Licences(weights=weight_licence, photos=data.describe_licences(photo_licence)),
        export_pkl=f"fastai Learner; opens on Python {python_version()} only",
        **about,
    )
    with replaced_folder(target, MANIFEST) as staging:
        _write_files(learn, net, preprocess, data, staging)
        write_bundle(staging, _judge(learn, data, ModelBundle(staging, manifest)))
    return ModelBundle.load(out)


def _write_files(learn: Learner, net: ExportNet, preprocess: Preprocess, data: Dataset, folder: Path) -> None:
    device = next(learn.model.parameters()).device
    write_network(net, preprocess, folder)
    learn.model.to(device)
    save_body(learn, folder / BODY)
    write_photos(folder, data.list_rows())
    write_examples([(p.label, p.path) for p in data.part(VALID)], folder / "examples")
    learn.export(folder / "export.pkl")


def check_parity(
    learn: Learner,
    predictor: Predictor,
    paths: Sequence[Path],
    items: Sequence[Any],
    *,
    act: Any = None,
    advice: str = "Try another --arch, and please report this one.",
) -> float:
    """Return the largest difference between the Learner's and the bundle's probabilities, 1e-3 at most.

    Photos go one by one and eight at a time through the whole of both sides: those of `paths` through
    fastclf, and `items` through fastai. `act` makes probabilities of the network's answers; by default the
    Learner's own does.
    """
    decode = predictor.preprocess.decode
    images = [decode(path, max_bytes=MAX_FOLDER_BYTES).image for path in paths]
    worst = max(_measure_difference(learn, predictor, images, items, size, act) for size in (1, 8))
    if not worst <= PARITY:
        raise ExportError(
            "The exported model's probabilities differ from the trained one's by up to {worst:.2g} "
            "(allowed: {parity:g}), so it was not written. {advice}",
            worst=worst,
            parity=PARITY,
            advice=advice,
        )
    return worst


def _measure_difference(
    learn: Learner, predictor: Predictor, images: Sequence[Image], items: Sequence[Any], size: int, act: Any
) -> float:
    """Return the largest difference of probabilities with `size` photos a batch."""
    dl = learn.dls.test_dl(list(items), bs=size, num_workers=0)
    with learn.no_bar(), learn.no_logging():
        expected = learn.get_preds(dl=dl, act=act)[0].numpy()
    starts = range(0, len(images), size)
    parts = [predictor.run(predictor.preprocess.batch(images[i : i + size]))[0] for i in starts]
    return float(np.abs(compute_softmax(np.concatenate(parts)) - expected).max())


def _judge(learn: Learner, data: Dataset, bundle: ModelBundle) -> Manifest:
    """Return the manifest with what it says of the bundle's answers; their features are cached."""
    with Predictor(bundle) as predictor:
        some = data.part(VALID)[:_PARITY_PHOTOS]
        files = [build_training_file(photo, data.private) for photo in some]
        worst = check_parity(learn, predictor, [photo.path for photo in some], files)
        train, valid = (_answer(predictor, data, split) for split in (TRAIN, VALID))
    parity = Parity(photos=len(some), largest_difference=worst, allowed=PARITY)
    manifest = replace(calibrate_bundle(bundle.manifest, bundle.path, train, valid), parity=parity)
    fitted = manifest.training.head
    if fitted is None or not fitted.C:
        return manifest
    return add_outlook(manifest, train, valid, LinearHead(*bundle.head, C=fitted.C))


def _answer(predictor: Predictor, data: Dataset, split: str) -> Answers:
    """Return the answers about a split's photos, whose features stay in the cache of the folder."""
    bundle = predictor.bundle
    cache = FeatureCache(data.private, bundle.manifest.features_id)
    features = extract_features(cache, data.part(split), bundle, predictor=predictor)
    there = np.isfinite(features).all(1)
    features = features[there]
    return Answers(compute_logits(features, bundle), features, data.targets(split)[there])
