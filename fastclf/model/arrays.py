"""The small arrays of a bundle, judged by the shapes that they declare before room is made for them."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

_MOST_BYTES, _MOST_ARRAYS = 2**28, 32
_KINDS = "fiu"


def read_arrays(file: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an ``.npz`` file by name.

    Raises
    ------
    ValueError
        If they are no numbers, declare more than the file holds, or take more than 256 MB.
    """
    with zipfile.ZipFile(file) as packed:
        infos = packed.infolist()
        if len(infos) > _MOST_ARRAYS or len({info.filename for info in infos}) < len(infos):
            raise ValueError(f"{file.name} holds {len(infos)} arrays, or one twice")
        if sum(info.file_size for info in infos) > _MOST_BYTES:
            raise ValueError(f"{file.name} unpacks to more than {_MOST_BYTES // 2**20} MB")
        for info in infos:
            with packed.open(info) as f:
                _check_header(f, info)
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _check_header(f: IO[bytes], info: zipfile.ZipInfo) -> None:
    version = npy.read_magic(f)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(f)
    if dtype.kind not in _KINDS or min(shape, default=1) < 0:
        raise ValueError(f"{info.filename} has the shape {shape} of {dtype}")
    if math.prod(shape) * dtype.itemsize != info.file_size - f.tell():
        raise ValueError(f"{info.filename} declares the shape {shape}, and holds {info.file_size} bytes")
