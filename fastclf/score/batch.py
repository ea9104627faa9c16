"""What other engines call with a batch: Ray's `map_batches`, Spark's `predict_batch_udf`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnreadablePhotoError, UsageError
from ..model import ModelBundle
from .carried import CarriedModel, open_scorer
from .place import PhotoPlace
from .scorer import Read

Array = npt.NDArray[Any]

_BYTES, _PATHS = ("bytes", "content", "image"), ("path", "file", "uri")


class ScoreBatch:
    """Score a batch of photos, given by their bytes or their paths; the answer is a column a name.

    It may be pickled, and opens the model once in each process.

    Parameters
    ----------
    model
        The model's folder.
    packed
        Whether it takes the model along as bytes; else each process opens the folder by its path.

    Notes
    -----
    A call takes a mapping with the column ``bytes`` or ``path`` (also called ``content`` or ``image``,
    ``file`` or ``uri``), or an array of bytes or paths. It returns what it was given without the bytes,
    and the columns of a shard: ``sha256``, ``label``, ``probability``, ``p_`` and each class, ``set``,
    ``unfamiliar``, ``score``, ``error``, ``model``. A photo that cannot be read has an ``error``; its
    label is None, and its numbers are NaN.

    Examples
    --------
    >>> columns = ScoreBatch("model")({"path": ["a.jpg", "b.jpg"]})
    >>> list(columns["label"]), list(columns["error"])
    (['black', 'teddy'], [None, None])

    With Ray:

    >>> photos = ray.data.read_binary_files("photos", include_paths=True)  # doctest: +SKIP
    >>> photos.map_batches(ScoreBatch("model"), batch_size=64)  # doctest: +SKIP

    With Spark, whose function is made in each process:

    >>> score = predict_batch_udf(
    ...     lambda: ScoreBatch("model").choose("label", "probability"),
    ...     return_type="struct<label:string,probability:float>",
    ...     batch_size=64,
    ... )  # doctest: +SKIP
    >>> spark.read.format("binaryFile").load("photos").select(score("content"))  # doctest: +SKIP
    """

    def __init__(self, model: ModelBundle | str | Path, *, packed: bool = False) -> None:
        bundle = model if isinstance(model, ModelBundle) else ModelBundle.load(model)
        self._model = CarriedModel.of(bundle, packed=packed)
        self._chosen: tuple[str, ...] = ()

    def choose(self, *columns: str) -> ScoreBatch:
        """Return the same with these columns alone, as the type of a Spark function names them."""
        chosen = object.__new__(ScoreBatch)
        chosen._model, chosen._chosen = self._model, columns
        return chosen

    def __call__(self, batch: Mapping[str, Any] | Array | Iterable[Any]) -> dict[str, Array]:
        """Return the columns."""
        given, photos = _take(batch)
        scored = open_scorer(self._model).score(_read(photo) for photo in photos)
        columns = {name: _make_array(name, values) for name, values in scored.items()}
        if not self._chosen:
            return {**given, **columns}
        if unknown := set(self._chosen) - set(columns):
            raise UsageError(
                "There is no column {name!r}. There are {columns}.",
                name=min(unknown),
                columns=", ".join(columns),
            )
        return {name: columns[name] for name in self._chosen}


def _take(batch: Mapping[str, Any] | Array | Iterable[Any]) -> tuple[dict[str, Array], list[Any]]:
    """Return what is given back as it came, and the photos."""
    if not isinstance(batch, Mapping):
        return {}, list(batch)
    name = next((name for name in (*_BYTES, *_PATHS) if name in batch), None)
    if name is None:
        raise UsageError(
            "A batch has a column {bytes} or {path}; this one has {columns}.",
            bytes=" or ".join(_BYTES),
            path=" or ".join(_PATHS),
            columns=", ".join(map(str, batch)),
        )
    return {key: values for key, values in batch.items() if key not in _BYTES}, list(batch[name])


def _read(photo: Any) -> Read:
    if isinstance(photo, bytes | bytearray | memoryview):
        return bytes(photo)
    if not isinstance(photo, str) or not photo:
        return UnreadablePhotoError("the photo", "is neither bytes nor a path")
    root, _, name = photo.rpartition("/")
    return PhotoPlace.open(root or ("/" if photo.startswith("/") else ".")).read(name)


def _make_array(name: str, values: list[Any]) -> Array:
    if name in ("label", "set", "error", "sha256", "model", "unfamiliar"):
        made = np.empty(len(values), object)
        for row, value in enumerate(values):  # a list is one value
            made[row] = value
        return made
    return np.array([np.nan if value is None else value for value in values], np.float32)
