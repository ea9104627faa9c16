"""Which 64-bit hashes have to be compared so that no close pair is missed: those with nearly equal parts.

Multi-index hashing (Norouzi, Punjani and Fleet, CVPR 2012): bits are dealt out to chunks, and close hashes
agree in one of them but for a bit or two. Hashes with one value of a chunk are compared with all that have
nearly that value, as one block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from .hashes import IntArray, UInt64Array

# What a block costs beside its comparisons, in comparisons: a hundredth of a second is worth 25 million.
_BLOCK_COST = 150_000
# So much is compared with all before anything else is thought of: some hundredths of a second.
_LITTLE = 2**26
# Share of close pairs.
_CROWDED = 0.01
_LEAST_BITS, _MOST_BITS = 4, 16
# Hashes that stand side by side in a block where all are compared with all.
_ROWS = 64


@dataclass(frozen=True)
class Chunk:
    """Some bits of a hash, of which a close pair may differ in `reach`."""

    bits: tuple[int, ...]
    reach: int

    @cached_property
    def mask(self) -> np.uint64:
        """The bits in their places."""
        return np.uint64(sum(1 << bit for bit in self.bits))

    def read(self, hashes: UInt64Array) -> IntArray:
        """Return the chunk's value of each hash."""
        value = np.zeros(len(hashes), np.intp)
        for place, bit in enumerate(self.bits):
            value |= ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.intp) << place
        return value

    @property
    def share(self) -> float:
        """How many of all pairs nearly agree by chance."""
        width = len(self.bits)
        return float(sum(comb(width, k) for k in range(self.reach + 1)) / 2**width)

    @cached_property
    def changes(self) -> IntArray:
        """What the values of two hashes that nearly agree differ by."""
        few = (some for k in range(self.reach + 1) for some in combinations(range(len(self.bits)), k))
        return np.array([sum(1 << place for place in some) for some in few], np.intp)


@dataclass(frozen=True)
class Block:
    """Hashes that are compared with others, by position; `columns` rise.

    Pairs that nearly agree in one of the earlier chunks stand in a block of that one as well.
    """

    rows: IntArray
    columns: IntArray
    earlier: Sequence[Chunk] = ()

    def holds(self, differing: UInt64Array) -> NDArray[np.bool_]:
        """Return which pairs belong to no earlier chunk's block, by the bits in which they differ."""
        own = np.ones(len(differing), bool)
        for chunk in self.earlier:
            own &= np.bitwise_count(differing & chunk.mask) > chunk.reach
        return own


def choose_blocks(rows: UInt64Array, columns: UInt64Array, radius: int) -> Iterator[Iterable[Block]]:
    """Yield shares of the work: together every pair that differs in at most `radius` bits, once."""
    every = len(rows) * len(columns)
    is_plain = every <= _LITTLE or _is_crowded(rows, columns, radius)
    chunks = [] if is_plain else _choose_chunks(rows, columns, radius)
    buckets = [_Buckets(rows, columns, chunks, number) for number in range(len(chunks))]
    # where most hashes share a bucket, buckets save nothing
    if not buckets or sum(one.cost for one in buckets) > every:
        yield from _compare_all(len(rows), len(columns))
        return
    for one in buckets:
        yield from one.share_out()


def _is_crowded(rows: UInt64Array, columns: UInt64Array, radius: int) -> bool:
    """Tell whether so many pairs are close that each row's nearest are found sooner all at once."""
    some, others = rows[:: max(1, len(rows) // 64)], columns[:: max(1, len(columns) // 4096)]
    return bool((np.bitwise_count(some[:, None] ^ others) <= radius).mean() > _CROWDED)


def _compare_all(n_rows: int, n_columns: int) -> Iterator[list[Block]]:
    columns = np.arange(n_columns)
    for start in range(0, n_rows, _ROWS):
        yield [Block(np.arange(start, min(start + _ROWS, n_rows)), columns)]


def _choose_chunks(rows: UInt64Array, columns: UInt64Array, radius: int) -> list[Chunk]:
    """Return the chunks that cost least if hashes spread evenly; none where comparing all costs less."""
    every = len(rows) * len(columns)
    best, least = list[Chunk](), float(every)
    order = _order_bits(columns)
    for n in range(1, min(radius + 1, 64 // _LEAST_BITS) + 1):
        for width in range(_LEAST_BITS, min(64 // n, _MOST_BITS) + 1):
            chunks = _deal_out(order, n, width, radius)
            cost = sum(chunk.share for chunk in chunks) * every + n * 2**width * _BLOCK_COST
            if cost < least:
                best, least = chunks, cost
    return best


def _order_bits(hashes: UInt64Array) -> list[int]:
    """Return the bits, those first that are set in half of the hashes: they tell most apart."""
    some = hashes[:: max(1, len(hashes) // 10_000)]
    shares = [float(((some >> np.uint64(bit)) & np.uint64(1)).mean()) for bit in range(64)]
    return sorted(range(64), key=lambda bit: (abs(shares[bit] - 0.5), bit))


def _deal_out(order: Sequence[int], n: int, width: int, radius: int) -> list[Chunk]:
    """Return n chunks: a pair beyond every one's reach is beyond the radius."""
    reaches = [(radius + 1) // n - 1 + (k < (radius + 1) % n) for k in range(n)]
    return [Chunk(tuple(order[k : n * width : n]), reach) for k, reach in enumerate(reaches)]


class _Buckets:
    """The hashes by the value of one chunk."""

    def __init__(self, rows: UInt64Array, columns: UInt64Array, chunks: Sequence[Chunk], number: int) -> None:
        self._chunk, self._earlier = chunks[number], chunks[:number]
        self._rows, self._columns = _sort(self._chunk.read(rows)), _sort(self._chunk.read(columns))

    @cached_property
    def cost(self) -> int:
        """How many pairs are compared, and what comes with each block."""
        sizes = np.zeros(2 ** len(self._chunk.bits), np.intp)
        sizes[self._columns.values] = self._columns.sizes
        near = sum(sizes[self._rows.values ^ change] for change in self._chunk.changes)
        return int((self._rows.sizes * near).sum()) + len(self._rows.values) * _BLOCK_COST

    def share_out(self) -> Iterator[Iterable[Block]]:
        """Yield the blocks, some at a time."""
        for start in range(0, len(self._rows.values), _ROWS):
            yield self._list_blocks(range(start, min(start + _ROWS, len(self._rows.values))))

    def _list_blocks(self, numbers: Iterable[int]) -> Iterator[Block]:
        for number in numbers:
            near = self._columns.gather(self._rows.values[number] ^ self._chunk.changes)
            if len(near):
                yield Block(self._rows.get(number), near, self._earlier)


@dataclass(frozen=True)
class _Sorted:
    """Positions in the order of their values."""

    order: IntArray
    values: IntArray  # each once, rising
    starts: IntArray
    sizes: IntArray

    def get(self, number: int) -> IntArray:
        """Return the positions with the value of this number."""
        return self.order[self.starts[number] : self.starts[number] + self.sizes[number]]

    def gather(self, values: IntArray) -> IntArray:
        """Return the positions with one of some values, rising."""
        places = np.searchsorted(self.values, values)
        places = places[self.values[np.minimum(places, len(self.values) - 1)] == values]
        parts = [self.get(number) for number in places.tolist()]
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.intp)


def _sort(values: IntArray) -> _Sorted:
    order = np.argsort(values, kind="stable")
    found, starts, sizes = np.unique(values[order], return_index=True, return_counts=True)
    return _Sorted(order, found, starts, sizes)
