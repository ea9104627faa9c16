"""Near-identical pairs of contents, found once and kept; new contents are compared with all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..issues import N_HASHES, SIGNATURE_SHAPE, confirm_pairs, find_pixel_pairs
from .store import Store

# Names how pairs are found; another way compares everything anew.
METHOD = "aligned-1"
# The same for pairs that features bring up.
LOOK = "starts-1"
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
    mirrored
        Whether one is the other's mirror image.
    """

    a: str
    b: str
    score: float
    mirrored: bool = False


@dataclass(frozen=True)
class NearPairs:
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
        names = sorted({self._hashes[i] for i in photos if i < n})
        marks = ", ".join("?" * len(names))
        rows = self._store.read(f"SELECT sha256, signature FROM contents WHERE sha256 IN ({marks})", names)
        found = {r["sha256"]: np.frombuffer(r["signature"], np.uint8).reshape(SIGNATURE_SHAPE) for r in rows}
        return np.stack([found[self._hashes[i]] if i < n else self._more[i - n] for i in photos])


def find_near_pairs(store: Store) -> NearPairs:
    """Return all near-identical pairs of contents; what was not compared yet is compared with all."""
    while not _compare_new(store):
        pass  # another process compared others meanwhile: see whether these are near to ours
    rows = store.read("SELECT a, b, score, mirrored FROM pairs ORDER BY a, b")
    capped = store.read("SELECT value FROM results WHERE name = ?", (_CAPPED,))
    return NearPairs(
        tuple(NearPair(r["a"], r["b"], r["score"], bool(r["mirrored"])) for r in rows),
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
    """Return how surely each two contents, alike by their features, are one picture; scores are kept.

    Parameters
    ----------
    store
        The catalog's database.
    candidates
        (P,) pairs of sha256.
    """
    method = f"{METHOD}+{LOOK}"
    known = {
        (r["a"], r["b"]): float(r["score"])
        for r in store.read("SELECT a, b, score FROM looked_at WHERE method = ?", (method,))
    }
    new = sorted({_sort(*pair) for pair in candidates} - known.keys())
    if new:
        rows = store.read("SELECT sha256 FROM contents WHERE comparable")
        comparable = {r["sha256"] for r in rows}
        tried = [(a, b) for a, b in new if a in comparable and b in comparable]
        names = sorted({sha for pair in tried for sha in pair})
        index = {sha: i for i, sha in enumerate(names)}
        ends = np.array([(index[a], index[b]) for a, b in tried], np.intp).reshape(-1, 2)
        scores = dict.fromkeys(new, 0.0)
        scores |= dict(zip(tried, confirm_pairs(ends, StoredSignatures(store, names)).tolist(), strict=True))
        with store.transaction():
            store.write_many(
                "INSERT OR REPLACE INTO looked_at (a, b, method, score) VALUES (?, ?, ?, ?)",
                [(a, b, method, score) for (a, b), score in scores.items()],
            )
        known |= scores
    return [known[_sort(*pair)] for pair in candidates]


def _sort(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _compare_new(store: Store) -> bool:
    """Compare the contents that are new; return False if another process came in between."""
    compared = _read_compared(store)
    rows = store.read(
        "SELECT sha256, hashes, comparable FROM contents WHERE signature IS NOT NULL ORDER BY sha256"
    )
    new = np.array([r["sha256"] not in compared for r in rows], bool)
    if not new.any():
        return True
    names = [r["sha256"] for r in rows]
    hashes = np.frombuffer(b"".join(r["hashes"] for r in rows), "<u8").reshape(-1, N_HASHES).astype(np.uint64)
    comparable = np.array([r["comparable"] for r in rows], bool)
    found = find_pixel_pairs(
        hashes, StoredSignatures(store, names), comparable, new=None if new.all() else new
    )
    pairs = [
        (names[a], names[b], float(score), int(mirrored))
        for (a, b), score, mirrored in zip(found.pairs, found.scores, found.mirrored, strict=True)
    ]
    fresh = [sha for sha, is_new in zip(names, new, strict=True) if is_new]
    with store.transaction():
        if _read_compared(store) != compared:
            return False
        if not compared:
            store.write("DELETE FROM pairs")
            store.write("DELETE FROM compared")
        _write_compared(store, pairs, fresh, len(found.capped))
    return True


def _write_compared(
    store: Store, pairs: Sequence[tuple[str, str, float, int]], compared: Sequence[str], capped: int
) -> None:
    store.write_many("INSERT OR REPLACE INTO pairs (a, b, score, mirrored) VALUES (?, ?, ?, ?)", pairs)
    store.write_many(
        "INSERT OR REPLACE INTO compared (sha256, method) VALUES (?, ?)", [(sha, METHOD) for sha in compared]
    )
    store.write(
        "INSERT OR REPLACE INTO results (name, key, value) VALUES (?, ?, ?)", (_CAPPED, METHOD, str(capped))
    )


def _read_compared(store: Store) -> set[str]:
    return {r["sha256"] for r in store.read("SELECT sha256 FROM compared WHERE method = ?", (METHOD,))}
