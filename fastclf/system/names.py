"""One meaning of a name: labels and paths compared in one spelling, and names that are nearly the same."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

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

    They differ in case, blanks, underscores, hyphens, the width of their letters, or an "s" at the end.

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
    """Return what is left of a name without case, width and joints; the name itself where nothing is."""
    return _JOINTS.sub("", unicodedata.normalize("NFKC", name).casefold()) or name
