"""Near-identical pairs of contents, found once and kept; new contents are compared with all."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..issues import N_HASHES, SIGNATURE_SHAPE, confirm_pairs, find_pixel_pairs
from ..system import ShortRepr
from .store import Store

# Names how pairs are found; another way compares everything anew.
METHOD = "aligned-2"
# The same for pairs that features bring up.
LOOK = "starts-1"
_ZERO = np.uint8(0)
_CAPPED = "near pairs capped"


@dataclass(frozen=True)
class NearPair:
    """Two contents that are nearly the same picture.

    Attributes
    ----------
    a, b
        sha256 of the two, the smaller first.
    score
        Agreement of the aligned pixels, in [0, 1].
    turn
        How the first is turned and mirrored to become the second: quarters clockwise, and 4 more if it is
        mirrored before that.
    """

    a: str
    b: str
    score: float
    turn: int = 0


@dataclass(frozen=True, repr=False)
class NearPairs(ShortRepr):
    """All pairs, and how many contents had more partners than were looked at."""

    pairs: tuple[NearPair, ...]
    capped: int = 0


class StoredSignatures:
    """Reads signatures from the database as they are needed, so that a large folder fits into memory.

    Behind those of the named contents stand some more that are at hand.
    """

    def __init__(self, store: Store, hashes: list[str], more: Sequence[npt.NDArray[np.uint8]] = ()) -> None:
        self._store, self._hashes, self._more = store, hashes, more

    def __getitem__(self, photos: npt.NDArray[np.intp], /) -> npt.NDArray[np.uint8]:
        n = len(self._hashes)
        wanted, back = np.unique(photos, return_inverse=True)
        names = [self._hashes[i] for i in wanted.tolist() if i < n]
        marks = ", ".join("?" * len(names))
        rows = self._store.read(f"SELECT sha256, signature FROM contents WHERE sha256 IN ({marks})", names)
        kept = {r["sha256"]: r["signature"] for r in rows}
        stored = unpack_signatures([kept[name] for name in names])
        others = [self._more[i - n] for i in wanted.tolist() if i >= n]
        return np.concatenate([stored, *(one[None] for one in others)])[back]


def pack_signature(signature: npt.NDArray[np.uint8]) -> bytes:
    """Return a signature as it is kept: what each pixel adds to those left of it and above, compressed."""
    steps = np.diff(np.diff(signature, axis=0, prepend=_ZERO), axis=1, prepend=_ZERO)
    return zlib.compress(steps.tobytes(), 1)


def unpack_signatures(kept: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Return the (N, 72, 64) signatures that were kept."""
    unpacked = b"".join(map(zlib.decompress, kept))
    steps = np.frombuffer(unpacked, np.uint8).reshape(len(kept), *SIGNATURE_SHAPE)
    # uint8 wraps around both ways
    return steps.cumsum(axis=2, dtype=np.uint8).cumsum(axis=1, dtype=np.uint8)


def stack_hashes(rows: Sequence[sqlite3.Row]) -> npt.NDArray[np.uint64]:
    """Return the (N, 17) hashes of rows of contents."""
    packed = b"".join(row["hashes"] for row in rows)
    return np.frombuffer(packed, "<u8").reshape(-1, N_HASHES).astype(np.uint64)


def find_near_pairs(store: Store) -> NearPairs:
    """Return all near-identical pairs of contents; what was not compared yet is compared with all."""
    while not _compare_new(store):
        pass  # another process compared others meanwhile: see whether these are near to ours
    rows = store.read("SELECT a, b, score, turn FROM pairs ORDER BY a, b")
    capped = store.read("SELECT value FROM results WHERE name = ?", (_CAPPED,))
    return NearPairs(
        tuple(NearPair(r["a"], r["b"], r["score"], r["turn"]) for r in rows),
        int(capped[0]["value"]) if capped else 0,
    )


def find_pairs_across(pairs: Sequence[NearPair], splits: Mapping[str, str]) -> list[NearPair]:
    """Return the pairs that stand in two different splits.

    Parameters
    ----------
    pairs
        Nearly equal contents.
    splits
        {sha256: split}; contents that are not in it, or whose split is "", stand in none.
    """
    stand = ((pair, splits.get(pair.a), splits.get(pair.b)) for pair in pairs)
    return [pair for pair, a, b in stand if a and b and a != b]


def confirm_candidates(store: Store, candidates: Sequence[tuple[str, str]]) -> list[float]:
    """Return how surely each two contents, alike by their features, are one picture; scores are kept."""
    method = f"{METHOD}+{LOOK}"
    rows = store.read("SELECT a, b, score FROM looked_at WHERE method = ?", (method,))
    known = {(r["a"], r["b"]): float(r["score"]) for r in rows}
    new = sorted({_sort(*pair) for pair in candidates} - known.keys())
    if new:
        scores = _look_at(store, new)
        with store.transaction():
            store.write_many(
                "INSERT OR REPLACE INTO looked_at (a, b, method, score) VALUES (?, ?, ?, ?)",
                [(a, b, method, score) for (a, b), score in scores.items()],
            )
        known |= scores
    return [known[_sort(*pair)] for pair in candidates]


def _look_at(store: Store, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Return the score of each pair; 0 where one of the two cannot be compared."""
    comparable = {r["sha256"] for r in store.read("SELECT sha256 FROM contents WHERE comparable")}
    tried = [(a, b) for a, b in pairs if a in comparable and b in comparable]
    names = sorted({sha for pair in tried for sha in pair})
    index = {sha: i for i, sha in enumerate(names)}
    ends = np.array([(index[a], index[b]) for a, b in tried], np.intp).reshape(-1, 2)
    scores = confirm_pairs(ends, StoredSignatures(store, names)).tolist()
    return {**dict.fromkeys(pairs, 0.0), **dict(zip(tried, scores, strict=True))}


def _sort(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _compare_new(store: Store) -> bool:
    """Compare the contents that are new; return False if another process came in between."""
    compared = _read_compared(store)
    rows = store.read(
        "SELECT sha256, hashes, comparable FROM contents WHERE signature IS NOT NULL ORDER BY sha256"
    )
    fresh = [(r["sha256"], METHOD) for r in rows if r["sha256"] not in compared]
    if not fresh:
        return True
    pairs, capped = _find_new_pairs(store, rows, compared)
    with store.transaction():
        if _read_compared(store) != compared:
            return False
        if not compared:
            store.write("DELETE FROM pairs")
            store.write("DELETE FROM compared")
        store.write_many("INSERT OR REPLACE INTO pairs (a, b, score, turn) VALUES (?, ?, ?, ?)", pairs)
        store.write_many("INSERT OR REPLACE INTO compared (sha256, method) VALUES (?, ?)", fresh)
        query = "INSERT OR REPLACE INTO results (name, key, value) VALUES (?, ?, ?)"
        store.write(query, (_CAPPED, METHOD, str(capped)))
    return True


def _find_new_pairs(
    store: Store, rows: Sequence[sqlite3.Row], compared: set[str]
) -> tuple[list[tuple[str, str, float, int]], int]:
    """Return the rows of pairs with a new content, and how many contents had too many partners."""
    names = [r["sha256"] for r in rows]
    new = np.array([sha not in compared for sha in names], bool)
    found = find_pixel_pairs(
        stack_hashes(rows),
        StoredSignatures(store, names),
        np.array([r["comparable"] for r in rows], bool),
        new=None if new.all() else new,
    )
    ends = ((names[a], names[b]) for a, b in found.pairs)
    scores = zip(found.scores.tolist(), found.turns.tolist(), strict=True)
    return [(*pair, *score) for pair, score in zip(ends, scores, strict=True)], len(found.capped)


def _read_compared(store: Store) -> set[str]:
    return {r["sha256"] for r in store.read("SELECT sha256 FROM compared WHERE method = ?", (METHOD,))}
