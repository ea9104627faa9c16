"""`export.pkl` of a model whose head was trained without fastai: a Learner that answers like the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from fastai.vision.all import Learner
from safetensors.torch import load_file

from ..card import save_manifest
from ..model import BODY, ModelBundle, Predictor, check_exportable, hash_files, python_version
from ..system import sync_file
from .data import mirror_preprocess
from .export import build_blank_dls, check_parity
from .fitting import set_head
from .network import add_normalisation, build_learner, load_packaged

_FILE = "export.pkl"


def export_learner(model: str | Path) -> Path:
    """Write ``export.pkl`` into a model's folder, and prove that it answers like the model.

    Parameters
    ----------
    model
        The model's folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ExportError
        If the model was imported, or the Learner would answer otherwise.
    WeightsError
        If the body's weights are neither in the model nor installed.

    Examples
    --------
    >>> from fastclf import train
    >>> bundle = train("photos/bears", "model-2", mode="head", say=lambda words: None)
    >>> export_learner("model-2").name
    'export.pkl'
    """
    bundle = check_exportable(model)
    photos = bundle.example_files
    learn = build_like(bundle)
    with Predictor(bundle) as predictor:
        worst = check_parity(learn, predictor, photos, [str(photo) for photo in photos])
    path, made = bundle.path / _FILE, bundle.path.absolute() / f".{_FILE}.new"
    learn.export(made)
    sync_file(made)
    if _FILE in bundle.manifest.files:
        # a kill before the new hash is written may not leave a model that differs from its manifest
        listed = {name: known for name, known in bundle.manifest.files.items() if name != _FILE}
        bundle = save_manifest(bundle.path, replace(bundle.manifest, files=listed))
    made.replace(path)
    about = f"fastai Learner; opens on Python {python_version()} only; probabilities equal within {worst:.1g}"
    files = {**bundle.manifest.files, _FILE: hash_files(bundle.path)[_FILE]}
    save_manifest(bundle.path, replace(bundle.manifest, export_pkl=about, files=files))
    return path


def build_like(bundle: ModelBundle) -> Learner:
    """Return a Learner with a model's transform, body and head."""
    preprocess, (weight, bias) = bundle.preprocess, bundle.head
    dls = build_blank_dls(preprocess.input_size[-1], mirror_preprocess(preprocess), vocab=bundle.vocab)
    learn = build_learner(dls, bundle.manifest.arch, pretrained=False)
    if preprocess.mean is not None and preprocess.std is not None:
        add_normalisation(learn, preprocess.mean, preprocess.std)
    if BODY in bundle.manifest.files:
        learn.model[0].load_state_dict(load_file(bundle.require(BODY)))
    else:
        load_packaged(learn.model[0])
    set_head(learn, weight, bias, np.zeros((1, weight.shape[1]), np.float32))
    return learn
