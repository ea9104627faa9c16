"""What an ONNX graph may be made of, read from its bytes before ONNX Runtime sees it.

A network that classifies photos is a list of plain operators with their weights. What loops, branches or
calls, weights in other files, and shapes of gigabytes have no place in it.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

Field: TypeAlias = "tuple[int, int | memoryview]"

_MOST_NODES, _MOST_FIELDS = 20_000, 2_000_000
_MOST_VALUES = 2**28
# Operators that make an array of the shape that they are given.
_SHAPED = {b"ConstantOfShape", b"Expand", b"Tile", b"Pad", b"Resize", b"Range"}
_INT64 = 7
_NONE = "its graph is cut off, or no ONNX graph"


def check_graph(file: Path) -> None:
    """Refuse a graph that is none, or holds what no classifier of photos needs.

    Raises
    ------
    ValueError
        If so; the message says what.
    """
    if not file.stat().st_size:
        raise ValueError("its graph is empty")
    with file.open("rb") as f:
        mapped = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        _Check().read_model(memoryview(mapped))
    except (IndexError, struct.error):
        raise ValueError(_NONE) from None


class _Check:
    """One reading of a graph."""

    def __init__(self) -> None:
        self.n_nodes = self.n_fields = 0
        self._shapes: dict[bytes, tuple[int, ...]] = {}
        self._shaped: list[tuple[bytes, list[bytes]]] = []

    def read_model(self, data: memoryview) -> None:
        if bytes(data[4:8]) == b"ORTM":
            raise ValueError("its graph is one of ONNX Runtime's own format, not ONNX")
        graphs = 0
        for number, value in self._iterate(data):
            if number == 25:
                raise ValueError("its graph calls functions of its own")
            if number == 7:
                graphs += 1
                self._read_graph(_as_bytes(value))
        if not graphs or not self.n_nodes:
            raise ValueError(_NONE)
        for kind, inputs in self._shaped:
            shape = [n for name in inputs for n in self._shapes.get(name, ()) if n > 0]
            if math.prod(shape) > _MOST_VALUES:
                raise ValueError(f"its graph makes an array of the shape {shape} by {kind.decode()}")

    def _read_graph(self, data: memoryview) -> None:
        for number, value in self._iterate(data):
            if number == 1:
                self._read_node(_as_bytes(value))
            elif number == 5:
                name, shape = self._read_tensor(_as_bytes(value))
                self._shapes[name] = shape
            elif number == 15:
                raise ValueError("its graph has sparse weights")

    def _read_node(self, data: memoryview) -> None:
        self.n_nodes += 1
        if self.n_nodes > _MOST_NODES:
            raise ValueError(f"its graph has more than {_MOST_NODES:,} operators")
        kind, inputs, outputs, shape = b"", [], [], None
        for number, value in self._iterate(data):
            if number == 1:
                inputs.append(bytes(_as_bytes(value)))
            elif number == 2:
                outputs.append(bytes(_as_bytes(value)))
            elif number == 4:
                kind = bytes(_as_bytes(value))
            elif number == 5:
                shape = self._read_attribute(_as_bytes(value)) or shape
        if kind in _SHAPED:
            self._shaped.append((kind, inputs))
        if outputs and shape:
            self._shapes[outputs[0]] = shape

    def _read_attribute(self, data: memoryview) -> tuple[int, ...]:
        shape: tuple[int, ...] = ()
        for number, value in self._iterate(data):
            if number in (6, 11):
                raise ValueError("its graph loops or branches: it holds another graph")
            if number in (5, 10):
                shape = self._read_tensor(_as_bytes(value))[1]
        return shape

    def _read_tensor(self, data: memoryview) -> tuple[bytes, tuple[int, ...]]:
        """Return a tensor's name and, of a short one of whole numbers, its values."""
        name, kind, raw, values = b"", 0, b"", []
        for number, value in self._iterate(data):
            if number == 13 or (number == 14 and value):
                raise ValueError("its graph has weights in another file")
            if number == 2 and isinstance(value, int):
                kind = value
            elif number == 7:
                values += [value] if isinstance(value, int) else list(_read_varints(value[:160]))
            elif number == 8:
                name = bytes(_as_bytes(value))
            elif number == 9:
                raw = bytes(_as_bytes(value)[:160])
        if kind != _INT64:
            return name, ()
        found = [*struct.unpack(f"<{len(raw) // 8}q", raw[: len(raw) // 8 * 8]), *values]
        return name, tuple(found) if len(found) <= 16 else ()

    def _iterate(self, data: memoryview) -> Iterator[Field]:
        """Yield number and value of each field of a message of Protocol Buffers."""
        at = 0
        while at < len(data):
            self.n_fields += 1
            if self.n_fields > _MOST_FIELDS:
                raise ValueError("its graph has far too many parts")
            key, at = _read_varint(data, at)
            number, kind = key >> 3, key & 7
            if kind == 0:
                value, at = _read_varint(data, at)
                yield number, value
                continue
            if kind == 2:
                length, at = _read_varint(data, at)
            elif kind in (1, 5):
                length = 8 if kind == 1 else 4
            else:
                raise ValueError(_NONE)
            if at + length > len(data):
                raise ValueError(_NONE)
            yield number, data[at : at + length]
            at += length


def _as_bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError(_NONE)
    return value


def _read_varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        yield value


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError(_NONE)
