"""All that is fuzzed; a new reader of strangers' bytes gets a line in one of these files."""

from __future__ import annotations

from ..target import Target
from . import archives, bundles, catalogs, checks, messages, photos, projects, texts

TARGETS: dict[str, Target] = {
    target.name: target
    for room in (photos, bundles, texts, archives, catalogs, checks, messages, projects)
    for target in room.TARGETS
}
