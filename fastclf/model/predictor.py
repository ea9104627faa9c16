"""Predictor: answers about photos with ONNX Runtime alone, no torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from PIL import Image

from ..errors import BundleError, UnreadablePhotoError
from ..metrics import compute_softmax
from ..photos import Source, decode_photo
from .bundle import ModelBundle
from .mapped import open_mapped
from .session import trim_heap

__all__ = ["Prediction", "Predictor", "trim_heap"]

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
    """

    file: str
    label: str | None = None
    probability: float | None = None
    probs: dict[str, float] | None = None
    unfamiliar: bool | None = None
    ood_score: float | None = None
    error: str | None = None

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
        """Answer about one photo.

        Parameters
        ----------
        source
            A path, or the file's bytes.
        name
            What to call the photo.

        Raises
        ------
        UnreadablePhotoError
            If it cannot be decoded.
        """
        image = decode_photo(source, name).image
        return self.predict_images([image], [name or _name_of(source)])[0]

    def predict_many(self, sources: Iterable[Source], batch_size: int = 8) -> Iterator[Prediction]:
        """Answer about many photos in their order; one that cannot be read gets a Prediction with `error`."""
        remaining = iter(sources)
        while chunk := list(islice(remaining, batch_size)):
            yield from self._predict_chunk(chunk)

    def predict_images(self, images: Sequence[Image.Image], names: Sequence[str]) -> list[Prediction]:
        """Answer about decoded RGB photos."""
        logits, features = self.run(self.preprocess.batch(images))
        probs = compute_softmax(logits, self.bundle.temperature)
        detector = self.bundle.detector
        scores = detector.ood_score(features) if detector else None
        return [
            self._prediction(name, p, None if scores is None else float(scores[i]))
            for i, (name, p) in enumerate(zip(names, probs, strict=True))
        ]

    def run(self, batch: Array) -> tuple[Array, Array]:
        """Run the graph.

        Parameters
        ----------
        batch
            (N, 3, H, W) float32 in [0, 1], as `preprocess` makes it.

        Returns
        -------
        logits, features
            (N, K) before temperature, and (N, D).
        """
        logits, features = self._run(["logits", "features"], batch)
        return logits, features

    def run_maps(self, batch: Array) -> tuple[Array, Array]:
        """Run the graph for its maps, which take memory and time that no answer needs.

        Parameters
        ----------
        batch
            As for `run`.

        Returns
        -------
        logits, maps
            (N, K) before temperature, and (N, D, h, w) whose mean over the places is the features.

        Raises
        ------
        BundleError
            If the graph has no maps (`map_size` is None then), or does not run.
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
            text = " ".join(str(e).split())[:200]
            raise BundleError(
                "The model {path} cannot answer ({reason}).", path=self.bundle.path, reason=text
            ) from e
        if not np.isfinite(found[0]).all():
            raise BundleError(
                "The model {path} answers with numbers that are none; do not use it.", path=self.bundle.path
            )
        return found

    def _predict_chunk(self, sources: Sequence[Source]) -> list[Prediction]:
        answers: list[Prediction | None] = []
        images, names = [], []
        for source in sources:
            try:
                images.append(decode_photo(source).image)
                names.append(str(source) if isinstance(source, str | os.PathLike) else _name_of(source))
                answers.append(None)
            except UnreadablePhotoError as e:
                file = str(source) if isinstance(source, str | os.PathLike) else e.name
                answers.append(Prediction(file, error=e.message))
        good = iter(self.predict_images(images, names) if images else [])
        return [next(good) if answer is None else answer for answer in answers]

    def _prediction(self, name: str, probs: Array, score: float | None) -> Prediction:
        order = np.argsort(-probs, kind="stable")
        named = {self.vocab[k]: float(probs[k]) for k in order}
        label = self.vocab[order[0]]
        detector = self.bundle.detector
        unfamiliar = None if score is None or detector is None else bool(score > detector.threshold_)
        return Prediction(name, label, named[label], named, unfamiliar, score)

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
        text = " ".join(str(e).split())[:200]
        raise BundleError(
            "The model {path} has a graph that ONNX Runtime refuses ({reason}).",
            path=bundle.path,
            reason=text,
        ) from e


def _name_of(source: Source) -> str:
    return Path(source).name if isinstance(source, str | os.PathLike) else "the photo"
