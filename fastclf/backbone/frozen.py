"""A pretrained body that stays as it is: its graph, its transform, and what its features are called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..model import (
    PUBLISHED,
    FeatureCache,
    ModelBundle,
    Preprocess,
    fill_cache,
    open_session,
    round_weights,
)
from ..photos import Photo, Progress
from .packaged import PACKAGED, read_packaged

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Backbone:
    """A frozen network with the transform that its photos go through.

    Attributes
    ----------
    arch
        The architecture, as timm or torchvision call it.
    graph
        ONNX: ``image`` (N, 3, H, W) in [0, 1] to ``features`` (N, D) and, where these are their means,
        ``maps`` (N, D, h, w).
    preprocess
        How a decoded photo becomes the graph's input.
    licence
        Of the weights.
    features_id
        Names the features in caches: a hash of all that makes them.
    """

    arch: str
    graph: bytes
    preprocess: Preprocess
    licence: str
    features_id: str

    @classmethod
    def build(cls, arch: str, graph: bytes, preprocess: Preprocess, licence: str) -> Self:
        """Return a backbone whose features are named after the graph and the transform."""
        digest = hashlib.sha256(json.dumps(preprocess.to_dict(), sort_keys=True).encode())
        digest.update(graph)
        return cls(arch, graph, preprocess, licence, digest.hexdigest())

    @classmethod
    def of_model(cls, bundle: ModelBundle) -> Self:
        """Return the body of a model."""
        manifest = bundle.manifest
        graph = bundle.onnx_path.read_bytes()
        return cls(manifest.arch, graph, bundle.preprocess, manifest.licences.weights, manifest.features_id)

    def round(self) -> Self:
        """Return it with the weights that a page with int8 has; its features have a name of their own.

        One that is rounded already is returned as it is.
        """
        graph = round_weights(self.graph)
        if graph is self.graph:
            return self
        digest = hashlib.sha256(f"{self.features_id} int8".encode())
        return replace(self, graph=graph, features_id=digest.hexdigest())

    def extract(
        self, cache: FeatureCache, photos: Sequence[Photo], progress: Progress | None = None
    ) -> Array:
        """Return (N, D) float32 features of photos; those that are cached are not computed again.

        Parameters
        ----------
        cache
            Of these features; what is computed is added to it.
        photos
            (N,) photos; one that cannot be read any more has a row of NaN.
        progress
            Called with (done, all) of what has to be computed.
        """
        session = None

        def run(batch: Array) -> Array:
            nonlocal session
            session = session or open_session(self.graph)
            return np.asarray(session.run(["features"], {"image": batch})[0])

        fill_cache(cache, photos, self.preprocess, run, progress)
        rows, _ = cache.stack([p.sha256 for p in photos])
        return rows


def open_packaged(size: int = 224, resize: str = PUBLISHED) -> Backbone:
    """Return the network whose weights come by pip.

    Parameters
    ----------
    size
        Height and width of its input, in pixels.
    resize
        How photos reach that size: "published", "squish", "crop" or "pad".

    Raises
    ------
    WeightsError
        If the weights are not installed, or not the ones that are known.
    """
    from .lite0 import build_lite0  # onnx, which the dashboard does without

    preprocess = Preprocess.build(size, resize, mean=PACKAGED.mean, std=PACKAGED.std)
    graph = build_lite0(read_packaged(), (size, size)).SerializeToString(deterministic=True)
    return Backbone.build(PACKAGED.arch, graph, preprocess, PACKAGED.licence)
