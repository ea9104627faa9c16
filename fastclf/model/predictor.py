"""Predictor: answers about photos with ONNX Runtime alone, no torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from PIL import Image

from ..errors import BundleError, UnreadablePhotoError, describe_error
from ..metrics import compute_softmax, find_sets
from ..photos import MAX_BYTES, Source
from .bundle import ModelBundle
from .mapped import open_mapped
from .preprocess import BATCH
from .session import trim_heap

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Prediction:
    """The answer about one photo; where it could not be read, `error` says why and the rest is None.

    Attributes
    ----------
    file
        The photo's name.
    label
        The most probable class.
    probability
        Its calibrated probability in [0, 1].
    probs
        Every class's probability, most probable first.
    unfamiliar
        Whether the photo is unlike the training photos; None where the model cannot tell.
    ood_score
        How unlike; higher is further out.
    error
        One sentence, or None.
    label_set, set_coverage
        The classes, most probable first, one of which is right with the probability `set_coverage`; None
        where the model names no sets, or the photo is unlike those that it knows.
    """

    file: str
    label: str | None = None
    probability: float | None = None
    probs: dict[str, float] | None = None
    unfamiliar: bool | None = None
    ood_score: float | None = None
    error: str | None = None
    label_set: list[str] | None = None
    set_coverage: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


class Predictor:
    """Classify photos with a bundle.

    Parameters
    ----------
    bundle
        A loaded bundle, or the path of one.
    threads
        How many threads a prediction may use; by default as many as there are cores, four at most.

    Raises
    ------
    BundleError
        If the bundle does not open or its graph does not fit its description.

    Examples
    --------
    >>> Predictor("model").predict("bear.jpg").label  # doctest: +SKIP
    'grizzly'
    """

    def __init__(self, bundle: ModelBundle | str | Path, *, threads: int | None = None) -> None:
        self.bundle = bundle if isinstance(bundle, ModelBundle) else ModelBundle.load(bundle)
        self.vocab = self.bundle.vocab
        self.preprocess = self.bundle.preprocess
        self.session = _open_session(self.bundle, threads)
        self._check_graph()
        trim_heap()

    def predict(self, source: Source, name: str | None = None) -> Prediction:
        """Answer about one photo, a path or the file's bytes, and call it by its file's name or `name`.

        Raises
        ------
        UnreadablePhotoError
            If it cannot be decoded.
        """
        image = self.preprocess.decode(source, name).image
        return self.predict_images([image], [name or Path(_find_path(source)).name or "the photo"])[0]

    def predict_many(self, sources: Iterable[Source], batch_size: int = BATCH) -> Iterator[Prediction]:
        """Answer about many photos in their order; one that cannot be read gets a Prediction with `error`."""
        for photos, logits, features in self.run_files(sources, batch_size=batch_size):
            names = [_find_path(source) or "the photo" for source, error in photos if error is None]
            good = iter(self._describe(names, logits, features))
            for source, error in photos:
                failed = error and Prediction(_find_path(source) or error.name, error=error.message)
                yield failed or next(good)

    def predict_images(self, images: Sequence[Image.Image], names: Sequence[str]) -> list[Prediction]:
        """Answer about decoded RGB photos."""
        return self._describe(names, *self.run(self.preprocess.batch(images)))

    def run_files(
        self, sources: Iterable[Source], *, batch_size: int = BATCH, max_bytes: int = MAX_BYTES
    ) -> Iterator[tuple[list[tuple[Source, UnreadablePhotoError | None]], Array, Array]]:
        """Run the graph on files, a batch at a time, while the next ones are decoded.

        Yields the photos of a batch, each with what is wrong with it, and the logits (n, K) and features
        (n, D) of those with which nothing is.
        """
        classes, width = self.bundle.head[0].shape
        for batch in self.preprocess.read_batches(sources, batch_size=batch_size, max_bytes=max_bytes):
            photos = [(s, x if isinstance(x, UnreadablePhotoError) else None) for s, x in batch]
            inputs = [x for _, x in batch if isinstance(x, np.ndarray)]
            found = self.run(np.stack(inputs)) if inputs else (np.empty((0, classes)), np.empty((0, width)))
            yield photos, *found

    def run(self, batch: Array) -> tuple[Array, Array]:
        """Run the graph on (N, 3, H, W) float32 in [0, 1], as `preprocess` makes it.

        Returns logits (N, K) before temperature, and features (N, D).
        """
        logits, features = self._run(["logits", "features"], batch)
        return logits, features

    def run_maps(self, batch: Array) -> tuple[Array, Array]:
        """Run the graph as `run` does, for logits and maps, which take memory and time that no answer needs.

        The maps are (N, D, h, w), their mean over the places is the features. `map_size` says whether the
        graph has any; BundleError where it has none or does not run.
        """
        logits, maps = self._run(["logits", "maps"], batch)
        return logits, maps

    @property
    def map_size(self) -> tuple[int, int] | None:
        """Height and width of the maps that the network pools, None where it pools none."""
        shapes: list[list[Any]] = [o.shape for o in self.session.get_outputs() if o.name == "maps"]
        shape = shapes[0] if shapes else []
        sizes = [n for n in shape[2:] if isinstance(n, int) and n > 0]
        return (sizes[0], sizes[1]) if len(shape) == 4 and len(sizes) == 2 else None

    def _run(self, names: list[str], batch: Array) -> list[Array]:
        try:
            found: list[Array] = self.session.run(names, {"image": batch})
        except Exception as e:
            raise BundleError(
                "The model {path} cannot answer ({reason}).", path=self.bundle.path, reason=describe_error(e)
            ) from e
        if not np.isfinite(found[0]).all():
            raise BundleError(
                "The model {path} answers with NaN or infinite values; do not use it.", path=self.bundle.path
            )
        return found

    def _describe(self, names: Sequence[str], logits: Array, features: Array) -> list[Prediction]:
        detector, probs = self.bundle.detector, compute_softmax(logits, self.bundle.temperature)
        scores = detector.ood_score(features) if detector and len(features) else None
        found = [self._name_classes(name, p) for name, p in zip(names, probs, strict=True)]
        if detector is None or scores is None:
            return found
        # no promise of a set holds for a photo of something else
        return [
            replace(answer, unfamiliar=True, ood_score=float(score), label_set=None, set_coverage=None)
            if score > detector.threshold_
            else replace(answer, unfamiliar=False, ood_score=float(score))
            for answer, score in zip(found, scores, strict=True)
        ]

    def _name_classes(self, name: str, probs: Array) -> Prediction:
        order = np.argsort(-probs, kind="stable")
        named = {self.vocab[k]: float(probs[k]) for k in order}
        answer = Prediction(name, label=next(iter(named)), probability=float(probs[order[0]]), probs=named)
        sets = self.bundle.manifest.sets
        if sets is None:
            return answer
        there = find_sets(probs, sets.threshold)
        return replace(
            answer, label_set=[self.vocab[k] for k in order if there[k]], set_coverage=sets.coverage
        )

    def _check_graph(self) -> None:
        inputs = {i.name: i.shape for i in self.session.get_inputs()}
        outputs = {o.name: o.shape for o in self.session.get_outputs()}
        path = self.bundle.path
        if list(inputs) != ["image"] or list(inputs["image"][1:]) != list(self.preprocess.input_size):
            raise BundleError(
                "The model {path} takes {inputs}, but bundle.json says one input 'image' of {size}.",
                path=path,
                inputs=inputs,
                size=self.preprocess.input_size,
            )
        if not {"features", "logits"} <= set(outputs):
            raise BundleError("The model {path} lacks the output 'features' or 'logits'.", path=path)
        if outputs["logits"][-1] != len(self.vocab):
            raise BundleError(
                "The model {path} gives {given!s} numbers for {classes} classes.",
                path=path,
                given=outputs["logits"][-1],
                classes=len(self.vocab),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        del self.session


def _open_session(bundle: ModelBundle, threads: int | None) -> ort.InferenceSession:
    try:
        return open_mapped(bundle.onnx_path, threads)
    except Exception as e:
        # ONNX Runtime raises its own classes, straight below Exception
        raise BundleError(
            "The model {path} has a graph that ONNX Runtime refuses ({reason}).",
            path=bundle.path,
            reason=describe_error(e),
        ) from e


def _find_path(source: Source) -> str:
    """Return a file's path, "" where bytes were given."""
    return str(source) if isinstance(source, str | os.PathLike) else ""
