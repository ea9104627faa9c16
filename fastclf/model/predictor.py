"""Predictor: answers about photos with ONNX Runtime alone, no torch."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from PIL import Image

from ..errors import BundleError, MemoryShortageError, UnreadablePhotoError, UsageError, describe_error
from ..metrics import compute_softmax, find_sets
from ..photos import MAX_BYTES, MAX_FOLDER_BYTES, NO_NAME, Given, Source, take_photo
from ..system import has_memory, is_guarded, is_out_of_memory, limited_memory
from .bundle import ModelBundle
from .manifest import damage_as_error
from .mapped import open_mapped
from .preprocess import BATCH, P
from .session import count_cores, trim_heap

Array = npt.NDArray[Any]

# Bytes that a network may take: to be opened, beside so many times its file; for a run, and for each photo of
# one. The largest of timm's takes 0.5 GB for a photo. While a batch is run the next photos are decoded.
_ROOM, _FILES, _ROOM_A_PHOTO, _ROOM_A_DECODER = 2**30, 4, 2**29, 2**29


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

    Examples
    --------
    >>> from fastclf import Predictor
    >>> answer = Predictor("model").predict("bear.jpg")
    >>> answer.file, list(answer.probs)[0], answer.error
    ('bear.jpg', 'grizzly', None)
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

    Notes
    -----
    It may be pickled: another process opens the model's folder again.

    On Linux a network that takes far more memory than a classifier of photos needs, 1.5 GB for one photo, is
    refused before the memory is there: each time in the dashboard and in the command, in a program of your
    own at its opening and its first answer, for the limit is of the whole process (RLIMIT_DATA).

    Examples
    --------
    >>> with Predictor("model") as predictor:
    ...     answer = predictor.predict("bear.jpg")
    ...     others = [a.label for a in predictor.predict_many(["a.jpg", "b.jpg"])]
    >>> answer.label, round(answer.probability, 2), answer.unfamiliar, others
    ('grizzly', 0.95, False, ['black', 'teddy'])
    """

    def __init__(self, bundle: ModelBundle | str | Path, *, threads: int | None = None) -> None:
        if not isinstance(bundle, ModelBundle | str | os.PathLike):
            raise UsageError(
                "A model is a folder's path or a ModelBundle, no {kind}.", kind=type(bundle).__name__
            )
        self.bundle = bundle if isinstance(bundle, ModelBundle) else ModelBundle.load(bundle)
        self.vocab = self.bundle.vocab
        self.preprocess = self.bundle.preprocess
        self._threads = threads
        self._session: ort.InferenceSession | None = _open_session(self.bundle, threads)
        self._is_tried = False
        with damage_as_error(self.bundle.path):
            self._check_graph()
        trim_heap()

    @property
    def session(self) -> ort.InferenceSession:
        """The graph as ONNX Runtime runs it; UsageError once the predictor is closed."""
        if self._session is None:
            raise UsageError("This predictor was closed. Open the model again: Predictor(path).")
        return self._session

    def close(self) -> None:
        """Let go of the graph and its memory; the end of a ``with`` block does."""
        self._session = None

    def predict(self, source: Given, name: str | None = None) -> Prediction:
        """Answer about one photo, and call it by its file's name or `name`.

        Parameters
        ----------
        source
            A path, a file's bytes, a file opened for reading bytes, an upload, a PIL image of any mode, or an
            array (height, width), (height, width, 3) or (height, width, 4) of uint8, or of floats from 0 to
            1. What EXIF says of a PIL image is obeyed, as it is of a file.
        name
            What to call it.

        Raises
        ------
        UnreadablePhotoError
            If it cannot be decoded.
        UsageError
            If it is nothing of that kind, or the predictor is closed.
        """
        given, photo = take_photo(source)
        shown = name or Path(given).name
        decoded = self.preprocess.decode(photo, shown or None, max_bytes=MAX_FOLDER_BYTES)
        return self.predict_images([decoded.image], [shown or NO_NAME])[0]

    def predict_many(
        self, sources: Iterable[Given | UnreadablePhotoError], batch_size: int = BATCH
    ) -> Iterator[Prediction]:
        """Answer about many photos in their order; one that cannot be read gets a Prediction with `error`.

        Each is given as `predict` takes it, or as the UnreadablePhotoError of a photo that could not be had;
        an array may hold them all, (N, height, width, 3).
        """
        single = isinstance(sources, str | bytes | os.PathLike | Image.Image | Mapping)
        single = single or getattr(sources, "ndim", 4) in (2, 3)  # four axes are a batch of photos
        if single or hasattr(sources, "read") or not isinstance(sources, Iterable):
            raise UsageError("predict_many takes several photos, [a, b] for example; predict takes one.")
        if batch_size < 1:
            raise UsageError("batch_size is {n}; it is 1 or more.", n=batch_size)
        return self._predict_many(sources, batch_size)

    def _predict_many(
        self, sources: Iterable[Given | UnreadablePhotoError], batch_size: int
    ) -> Iterator[Prediction]:
        names: deque[str] = deque()

        def take() -> Iterator[Source | Image.Image | UnreadablePhotoError]:
            for source in sources:
                name, photo = _take(source)
                names.append(name)
                yield photo

        for photos, logits, features in self.run_files(
            take(), batch_size=batch_size, max_bytes=MAX_FOLDER_BYTES
        ):
            shown = [names.popleft() or NO_NAME for _ in photos]
            good = [name for name, (_, error) in zip(shown, photos, strict=True) if error is None]
            answers = iter(self._describe(good, logits, features))
            for name, (_, error) in zip(shown, photos, strict=True):
                yield next(answers) if error is None else _describe_fault(name, error)

    def predict_images(self, images: Sequence[Given], names: Sequence[str] | None = None) -> list[Prediction]:
        """Answer about pictures and arrays, as `predict` takes them."""
        if isinstance(images, Image.Image | np.ndarray):
            raise UsageError("predict_images takes several pictures, [a, b] for example; predict takes one.")
        if names is not None and len(names) != len(images):
            raise UsageError("{n} pictures have {m} names.", n=len(images), m=len(names))
        rgb = [self._read_image(image) for image in images]
        names = [NO_NAME] * len(rgb) if names is None else names
        return self._describe(names, *self.run(self.preprocess.batch(rgb)))

    def _read_image(self, image: Given) -> Image.Image:
        if isinstance(image, Image.Image) and image.mode == "RGB":
            return image
        return self.preprocess.decode(take_photo(image)[1], max_bytes=MAX_FOLDER_BYTES).image

    def run_files(
        self, sources: Iterable[P], *, batch_size: int = BATCH, max_bytes: int = MAX_BYTES
    ) -> Iterator[tuple[list[tuple[P, UnreadablePhotoError | None]], Array, Array]]:
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
        session, room = self.session, _find_room(len(batch))
        is_limited = is_guarded() or not self._is_tried
        try:
            with limited_memory(room) if is_limited else nullcontext():
                found: list[Array] = session.run(names, {"image": batch})
            self._is_tried = True
        except Exception as e:
            _check_memory(e, self.bundle.path, room)
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
            raise BundleError(
                "The model {path} lacks the output 'features' or 'logits'. Copy it again, or train again.",
                path=path,
            )
        if outputs["logits"][-1] != len(self.vocab):
            raise BundleError(
                "The model {path} gives {given!s} numbers for {classes} classes. "
                "Copy it again, or train again.",
                path=path,
                given=outputs["logits"][-1],
                classes=len(self.vocab),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.bundle.path.resolve(), self._threads)


def _open_session(bundle: ModelBundle, threads: int | None) -> ort.InferenceSession:
    room = _ROOM + _FILES * bundle.onnx_path.stat().st_size
    try:
        with limited_memory(room):
            return open_mapped(bundle.onnx_path, threads)
    except Exception as e:
        # ONNX Runtime raises its own classes, straight below Exception
        _check_memory(e, bundle.path, room)
        raise BundleError(
            "The model {path} has a graph that ONNX Runtime refuses ({reason}).",
            path=bundle.path,
            reason=describe_error(e),
        ) from e


def _find_room(photos: int) -> int:
    """Return the bytes that a run on so many photos may take."""
    return _ROOM + photos * _ROOM_A_PHOTO + (count_cores() * _ROOM_A_DECODER if photos > 1 else 0)


def _check_memory(error: Exception, path: Path, room: int) -> None:
    if is_out_of_memory(error) and has_memory(room):
        raise BundleError(
            "The model {path} needs more than {most:.1f} GB of memory for what it was asked. Give fewer "
            "photos at once; if one photo needs so much, do not use this model.",
            path=path,
            most=room / 2**30,
        ) from error
    if is_out_of_memory(error):
        raise MemoryShortageError(
            "There is not enough memory to run the model. Close other programs, or give fewer photos at once."
        ) from error


def _take(
    source: Given | UnreadablePhotoError,
) -> tuple[str, Source | Image.Image | UnreadablePhotoError]:
    return (source.name, source) if isinstance(source, UnreadablePhotoError) else take_photo(source)


def _describe_fault(name: str, fault: UnreadablePhotoError) -> Prediction:
    """Return why there is no answer; by its whole path, as photos of several folders may be called alike."""
    return Prediction(name, error=UnreadablePhotoError(name, fault.reason).message)


def _reopen(path: Path, threads: int | None) -> Predictor:
    return Predictor(path, threads=threads)
