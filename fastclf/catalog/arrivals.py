"""Photos from outside that may join a folder: their copies in it, and how a step lets them in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..issues import Fingerprint, describe_photo, find_pixel_pairs
from ..photos import decode_photo
from ..system import hash_bytes, utc_now
from .edits import REMOVE, RESTORE, SCAN, Edit, find_stacks, write_step
from .near_pairs import StoredSignatures, stack_hashes
from .store import Store

_SIDE = 256
_WITHOUT_FILE = "FROM photos WHERE NOT present AND folder_label = ''"


@dataclass(frozen=True)
class Arrival:
    """What a photo that is not in the folder is known by.

    Attributes
    ----------
    sha256
        Hash of its bytes.
    prints
        What near copies are found by.
    """

    sha256: str
    prints: Fingerprint


@dataclass(frozen=True)
class Copy:
    """A photo of the set that an arrival is a copy of: its name, and its current label."""

    name: str
    label: str


@dataclass(frozen=True)
class Held:
    """A photo that was held, and what the steps that stand say of it.

    Attributes
    ----------
    name
        Its path; without a folder where it has no file.
    action
        "restore" if a step let it in since it was held, "remove" if one turned it away, else "".
    in_set
        Whether it is among the folder's photos.
    is_there
        Whether its file is there, or it has none.
    """

    name: str
    action: str
    in_set: bool
    is_there: bool = True

    @property
    def is_decided(self) -> bool:
        """Whether nobody has to decide about it: it is in the set, or a step said so and it is there."""
        return self.in_set or bool(self.action and self.is_there)


class Arrivals:
    """What joins a folder's photos; obtained from `Catalog.arrivals`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find_copies(self, arrivals: Sequence[Arrival]) -> list[Copy | None]:
        """Return for each arrival a photo of the set that shows the same picture, or None."""
        if not arrivals:
            return []
        rows = self._store.read(
            "SELECT p.path, p.label, p.sha256 FROM photos p"
            " JOIN contents c ON c.sha256 = p.sha256"
            " WHERE p.present AND NOT p.removed AND c.reason IS NULL ORDER BY p.path DESC"
        )
        # of several the first by name
        known = {row["sha256"]: Copy(row["path"], row["label"]) for row in rows}
        found = [known.get(arrival.sha256) for arrival in arrivals]
        open_ones = [i for i, copy in enumerate(found) if copy is None and arrivals[i].prints.comparable]
        if open_ones and known:
            for i, sha256 in self._find_near([arrivals[i] for i in open_ones], set(known)).items():
                found[open_ones[i]] = known[sha256]
        return found

    def hold(
        self, names: Sequence[str], why: str = "", *, ask: Callable[[], object] | None = None
    ) -> dict[str, int]:
        """Take files that were just scanned out of the set, so that a step can let them in.

        That is a row of the scan: undo passes over it, so undoing the step takes the photos out again.
        Returns {path relative to the folder: the catalog's number} of those that are there. `ask` is called
        first, while nobody else can write: what it raises leaves all as it is.
        """
        with self._store.transaction():
            if ask:
                ask()
            rows = self._store.read("SELECT id, path, removed FROM photos WHERE present")
            wanted = set(names)
            there = {row["path"]: row for row in rows if row["path"] in wanted}
            edits = [Edit(row["id"], REMOVE, None, why) for row in there.values() if not row["removed"]]
            if edits:
                write_step(self._store, edits, SCAN, SCAN)
        return {name: row["id"] for name, row in there.items()}

    def register(self, photos: Mapping[str, str]) -> dict[str, int]:
        """Give photos without a file in the folder a number, so that a step can turn them away by a remove.

        Takes {name: sha256}, names without a folder, and returns {name: the catalog's number}, the same one
        again for a name that is known. No scan takes a file for one of them: they are in no class folder.
        """
        with self._store.transaction():
            known = {row["path"]: row["id"] for row in self._store.read(f"SELECT id, path {_WITHOUT_FILE}")}
            for name, sha256 in photos.items():
                known[name] = known.get(name) or self._store.write(
                    "INSERT INTO photos (path, sha256, size, mtime_ns, folder_label, given_split, label,"
                    " present, added) VALUES (?, ?, 0, 0, '', '', '', 0, ?)",
                    (name, sha256, utc_now()),
                )
        return {name: known[name] for name in photos}

    def find_held(self, part: str) -> list[Held]:
        """Return the photos, with a file or without, that have `part` in their names."""
        like = (f"%{part}%",)
        actions = self._find_actions(like)
        rows = self._store.read(
            "SELECT id, path, folder_label, present AND NOT removed AS inside,"
            " present OR folder_label = '' AS is_there FROM photos WHERE path LIKE ?",
            like,
        )
        return [
            Held(
                row["path"],
                _find_action(actions[row["id"]], bool(row["folder_label"])),
                bool(row["inside"]),
                bool(row["is_there"]),
            )
            for row in rows
        ]

    def _find_actions(self, like: tuple[str]) -> dict[int, set[str]]:
        """Return what the steps that stand have done to photos since they were held last."""
        standing = set(find_stacks(self._store)[0])
        actions: dict[int, set[str]] = defaultdict(set)
        for photo, action, step, kind in self._store.read(
            "SELECT p.id, e.action, e.step, s.kind FROM photos p JOIN edits e ON e.photo = p.id"
            " JOIN steps s ON s.id = e.step WHERE p.path LIKE ? ORDER BY e.id",
            like,
        ):
            if step in standing:
                actions[photo].add(action)
            elif kind == SCAN and action == REMOVE:
                actions[photo].clear()
        return actions

    def _find_near(self, arrivals: Sequence[Arrival], wanted: set[str]) -> dict[int, str]:
        """Return {position: sha256 of the nearest copy}."""
        rows = self._store.read("SELECT sha256, hashes FROM contents WHERE comparable ORDER BY sha256")
        rows = [row for row in rows if row["sha256"] in wanted]
        names = [row["sha256"] for row in rows]
        own = np.stack([a.prints.hashes for a in arrivals]).astype(np.uint64)
        is_new = np.arange(len(names) + len(own)) >= len(names)
        found = find_pixel_pairs(
            np.concatenate([stack_hashes(rows), own]),
            StoredSignatures(self._store, names, [arrival.prints.signature for arrival in arrivals]),
            np.ones(len(is_new), bool),
            new=is_new,
        )
        best: dict[int, tuple[float, str]] = {}
        for (a, b), score in zip(found.pairs, found.scores, strict=True):
            if a < len(names) <= b:
                place = int(b) - len(names)
                best[place] = max(best.get(place, (0.0, "")), (float(score), names[a]))
        return {place: sha256 for place, (_, sha256) in best.items()}


def _find_action(actions: set[str], has_file: bool) -> str:
    # what was let in may be taken out again, and was let in nevertheless
    wanted = RESTORE if has_file else REMOVE
    return wanted if wanted in actions else ""


def describe_arrival(data: bytes, name: str) -> Arrival:
    """Return what a photo is known by.

    Parameters
    ----------
    data
        The file.
    name
        What to call it in an error.

    Raises
    ------
    UnreadablePhotoError
        If it is none.
    """
    # smaller than it is, since there may be a thousand of them
    image = decode_photo(data, name, least_side=_SIDE).image
    return Arrival(hash_bytes(data), describe_photo(image))
