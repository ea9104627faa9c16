"""What the catalog holds of photos that had no label: copies in class folders, numbers of dismissed ones.

Both are named by the content, so they keep to their photo in whichever folder it waits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...catalog import PREFIX, Catalog, EditRow, Held, find_digest

HELD = "without a label; not taken yet"


class NewCopies:
    """The copies of photos that got a label, and what stands for those that were dismissed."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def find_held(self) -> list[Held]:
        """Return all of them."""
        return [h for h in self._catalog.arrivals.find_held(PREFIX) if find_digest(h.name)]

    def find_decided(self, aside: Collection[str] = ()) -> set[str]:
        """Return the digests of the photos that a step decided about; what `aside` names does not count."""
        held = self.find_held()
        return {find_digest(h.name) for h in held if h.action and h.is_there and h.name not in aside}

    def recover(self) -> None:
        """Mend what a kill between copies and their step left: they are held, and the photos wait again."""
        held = self.find_held()
        begun = {find_digest(h.name) for h in held if "/" not in h.name}
        begun -= {find_digest(h.name) for h in held if h.action}
        stray = {h.name for h in held if "/" in h.name and h.in_set and find_digest(h.name) in begun}
        if stray:
            # one whose bytes somebody changed is a photo of its own
            photos = [p for p in self._catalog.photos().photos if p.name in stray]
            same = [p.name for p in photos if p.sha256.startswith(find_digest(p.name))]
            self._catalog.arrivals.hold(same, HELD)

    def read_actions(self) -> dict[str, str]:
        """Return {name: what standing steps say} of the copies, and of the photos that were turned away."""
        return {h.name: h.action for h in self.find_held()}

    def count_unlearned(self, learned: Collection[str]) -> int:
        """Return how many of the photos that were labelled here are not among contents (sha256)."""
        digests = {sha256[:16] for sha256 in learned}
        mine = {find_digest(h.name) for h in self.find_held() if h.in_set and h.action}
        return len(mine - digests)


def count_moved(
    rows: Sequence[EditRow], before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[int, int]:
    """Return how many new photos a step's rows let in or out, and how many they turn away or give back.

    A row about a photo that another step let in does neither: its action is the same `before` and `after`.
    """
    moved = {row.path for row in rows if before.get(row.path, "") != after.get(row.path, "")}
    files = sum("/" in name for name in moved)
    return files, len(moved) - files
