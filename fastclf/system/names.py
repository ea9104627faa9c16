"""One meaning of a name: labels and paths compared in one spelling, and names that are nearly the same."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

# Accents of Latin, Greek and Cyrillic letters combine with a class from here on; what makes another letter
# of a Japanese or Hindi one, with a lower one.
_LEAST_ACCENT = 200
_JOINTS = re.compile(r"[\s_\-\u2010-\u2015]+")


def unify_name(text: str) -> str:
    r"""Return a label or a path in the one spelling in which these are compared (Unicode's NFC).

    Macs take accents apart ("u" and two dots), others do not; both mean the same name. The spelling on the
    disk is what a file is opened by.

    Examples
    --------
    >>> unify_name("Ba\u0308r") == "B\u00e4r"
    True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def find_near_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return groups of names that somebody may have meant as one, each sorted, in the order of the names.

    They differ in case, accents, blanks, underscores, hyphens, signs that nobody sees, the width of their
    letters, or an "s" at the end.

    Examples
    --------
    >>> find_near_names(["cat", "Cat ", "cats", "dog", "hot-dog", "hot dog"])
    [('Cat ', 'cat', 'cats'), ('hot dog', 'hot-dog')]
    """
    groups: dict[str, list[str]] = defaultdict(list)
    bare = {name: _strip_name(name) for name in sorted(set(names))}
    known = set(bare.values())
    for name, key in bare.items():
        groups[key[:-1] if key.endswith("s") and key[:-1] in known else key].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _strip_name(name: str) -> str:
    """Return a name without case, width, accents and joints; the name itself where nothing is left."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    kept = (
        sign
        for sign in apart
        if unicodedata.combining(sign) < _LEAST_ACCENT and unicodedata.category(sign) != "Cf"
    )
    return _JOINTS.sub("", unicodedata.normalize("NFC", "".join(kept))) or name
