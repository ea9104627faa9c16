"""The card's sections in their order, for HTML and Markdown alike."""

from __future__ import annotations

from typing import Any

from .blocks import Section, clean, moment
from .facts import describe_data, describe_licences, describe_purpose, describe_refits, describe_training
from .failures import describe_failures
from .judged import describe_quality, describe_sureness


def build_sections(manifest: dict[str, Any]) -> list[Section]:
    """Return all that the card says."""
    return [
        describe_purpose(manifest),
        describe_quality(manifest),
        describe_failures(manifest),
        describe_sureness(manifest),
        describe_data(manifest),
        describe_training(manifest),
        *describe_refits(manifest),
        describe_licences(manifest),
    ]


def build_title(manifest: dict[str, Any]) -> str:
    """Return the card's heading."""
    return clean(manifest.get("title") or "") or "Photo classifier"


def build_origin(manifest: dict[str, Any]) -> str:
    """Return the line below the heading: when it was made, and that all figures are the manifest's."""
    created = moment(manifest.get("created") or "at an unknown time")
    return f"Model card. Made {created}; every figure is from the model's bundle.json."
