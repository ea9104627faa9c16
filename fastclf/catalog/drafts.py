"""Drafts: choices that somebody made about photos and has not applied yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from ..system import clean_text
from .edits import MAX_WHY, find_user
from .store import Store


@dataclass(frozen=True)
class Draft:
    """A choice that waits to be applied.

    Attributes
    ----------
    photo
        The catalog's number of the photo, or the negative number of a visitor's report.
    name
        Of the photo at the time, so that a number that means another one by now is told.
    old, removed
        Its label, and whether it was out of the set, at the time.
    action, label, why
        As of an `Edit`.
    time, who
        When, as ISO 8601 in UTC, and who.
    """

    photo: int
    name: str
    old: str
    removed: bool
    action: str
    label: str | None = None
    why: str = ""
    time: str = ""
    who: str = ""


class Drafts:
    """The choices that wait, one a photo; obtained from `Catalog.drafts`."""

    def __init__(self, store: Store, who: str | None = None) -> None:
        self._store, self._who = store, who

    def read(self) -> list[Draft]:
        """Return all drafts in the order in which they were made."""
        names = ", ".join(field.name for field in fields(Draft))
        rows = self._store.read(f"SELECT {names} FROM drafts ORDER BY time, photo")
        return [Draft(**{**dict(row), "removed": bool(row["removed"])}) for row in rows]

    def keep(self, drafts: Sequence[Draft], dropped: Iterable[int] = ()) -> None:
        """Keep drafts in place of earlier ones about the same photos, and forget others, in one step.

        Parameters
        ----------
        drafts
            What waits now; one without a name in `who` is the catalog's user's.
        dropped
            Numbers of photos of which nothing waits any more.

        Raises
        ------
        CatalogError
            If the catalog cannot be written; nothing is changed then.

        Examples
        --------
        >>> from fastclf import Catalog
        >>> with Catalog("photos/bears") as catalog:
        ...     catalog.drafts.keep([Draft(7, "teddy/007.png", "teddy", False, "remove")])
        """
        who = self._who or find_user()
        rows = [
            (
                d.photo,
                d.name,
                d.old,
                d.removed,
                d.action,
                d.label,
                clean_text(d.why, MAX_WHY),
                d.time,
                d.who or who,
            )
            for d in drafts
        ]
        with self._store.transaction():
            self._store.write_many("DELETE FROM drafts WHERE photo = ?", [(photo,) for photo in dropped])
            self._store.write_many("INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
