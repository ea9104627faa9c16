"""Names of architectures, judged before the libraries that bring them are imported, which takes seconds."""

from __future__ import annotations

import difflib
import functools
import re
from importlib.util import find_spec
from pathlib import Path

from ..errors import UsageError
from ..model import TIMM, TORCHVISION, choose_arch, list_archs

# how timm and torchvision register what `def name(` builds, and the old names that timm still knows
_REGISTERED = re.compile(r"@register_model(?:\(\))?\s*\n(?:@[^\n]*\n)*def (\w+)\(")
_RENAMED = re.compile(r"register_model_deprecations\(__name__, \{(.*?)\}\)", re.DOTALL)
_OLD_NAME = re.compile(r"['\"](\w+)['\"]\s*:")


@functools.lru_cache(maxsize=1)
def _read_names() -> dict[str, set[str]]:
    """Return {library: names that its sources register}, empty where it is not installed."""
    found: dict[str, set[str]] = {}
    for package in (TIMM, TORCHVISION):
        names = found.setdefault(package, set())
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            for file in Path(folder, "models").glob("*.py"):
                source = file.read_text(encoding="utf-8", errors="replace")
                names.update(_REGISTERED.findall(source))
                names.update(old for pairs in _RENAMED.findall(source) for old in _OLD_NAME.findall(pairs))
    return found


def check_arch_name(name: str) -> None:
    """Refuse a name that neither timm nor torchvision knows; a tag of weights behind a dot is not judged.

    Raises
    ------
    UsageError
        With the most similar names.

    Examples
    --------
    >>> check_arch_name("resnet18")
    """
    if any(_read_names().values()) and not find_libraries(name):
        raise build_unknown_arch(name)


def find_libraries(name: str) -> list[str]:
    """Return which of "timm" and "torchvision" know an architecture's name."""
    return [library for library, names in _read_names().items() if name.partition(".")[0] in names]


def build_unknown_arch(name: str) -> UsageError:
    """Return the error about an architecture that nobody knows, with those of similar names."""
    known = set().union(*_read_names().values(), (facts.name for facts in list_archs()))
    similar = difflib.get_close_matches(name, known, n=3) or [choose_arch(True)[0], choose_arch(False)[0]]
    return UsageError(
        "There is no architecture {name!r}. Similar ones: {similar}.", name=name, similar=", ".join(similar)
    )
