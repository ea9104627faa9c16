"""Arrays and JSON in one block of bytes, which page/src/site/pack.js reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_ALIGNED = 8
_KINDS = ("float32", "float64", "int8", "uint8")


def write_pack(header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return the length of a JSON text (4 bytes, little-endian), the text, and the arrays' bytes.

    The text names each array's kind, and where it begins behind the text.
    """
    places, parts, at = {}, [], 0
    for name, array in arrays.items():
        if array.dtype.name not in _KINDS:
            raise TypeError(f"{name} is of {array.dtype}; {', '.join(_KINDS)} can be packed")
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        places[name] = {"kind": array.dtype.name, "offset": at, "length": array.size}
        parts.append(data + bytes(-len(data) % _ALIGNED))
        at += len(parts[-1])
    text = json.dumps({"header": header, "arrays": places}, ensure_ascii=False, allow_nan=False).encode()
    return len(text).to_bytes(4, "little") + text + b"".join(parts)
