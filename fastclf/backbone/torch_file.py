"""PyTorch's older file of weights, read without PyTorch and without running code that is in it."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import WeightsError, describe_error

Array = npt.NDArray[Any]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
_DAMAGE = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
)


class _View(NamedTuple):
    """A tensor as the pickle has it: where its numbers lie in a storage, which comes behind the pickle."""

    storage: tuple[str, str, int]  # dtype, key, number of elements
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Opens what a state dict is made of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name in the file."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")

    def persistent_load(self, pid: Any) -> tuple[str, str, int]:
        """Return a storage's type, key and number of elements."""
        _, dtype, key, _, count, *_ = pid
        return dtype, key, count


def read_tensors(path: Path) -> dict[str, Array]:
    """Read a state dict of float32 and int64 tensors.

    Parameters
    ----------
    path
        A file that ``torch.save`` wrote in its format from before version 1.6.

    Returns
    -------
    dict
        {name: array}, in the order of the file.

    Raises
    ------
    WeightsError
        If the file is damaged, of another format, or holds more than weights.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except _DAMAGE as e:
        raise WeightsError(
            "The weights {path} cannot be read ({reason}). Fetch them again.",
            path=path,
            reason=describe_error(e),
        ) from None


def _read(file: BinaryIO) -> dict[str, Array]:
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (_MAGIC, _PROTOCOL):
        raise ValueError("it is of another format")
    _Unpickler(file).load()  # the sizes of C types where it was written
    views: dict[str, _View] = _Unpickler(file).load()
    dtypes = {view.storage[1]: view.storage[0] for view in views.values()}
    storages = {}
    for key in _Unpickler(file).load():
        dtype = np.dtype(dtypes[key])
        count = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return {name: _take(storages[view.storage[1]], view) for name, view in views.items()}


def _take(storage: Array, view: _View) -> Array:
    """Return a tensor's numbers; one that reaches beyond its storage is damaged."""
    reach = sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
    if min((view.offset, *view.shape, *view.strides)) < 0 or view.offset + reach >= max(storage.size, 1):
        raise ValueError("a tensor reaches beyond its numbers")
    steps = [step * storage.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, steps, writeable=False)
