"""Getting photos: recipes, searches, archives, folders, and the sample that needs no network.

`search_images`, `download_images` and `verify_images` have the names of the fast.ai course.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .course import download_images, search_images, verify_images
    from .found import Found, SearchService
    from .one import fetch_photo
    from .recipe import Recipe, list_recipes, load_recipe
    from .report import CollectReport
    from .run import collect
    from .samples import write_digits
    from .steps import CollectSettings

__all__ = [
    "CollectReport",
    "CollectSettings",
    "Found",
    "Recipe",
    "SearchService",
    "collect",
    "download_images",
    "fetch_photo",
    "list_recipes",
    "load_recipe",
    "search_images",
    "verify_images",
    "write_digits",
]

_HOMES = {
    "CollectReport": "report",
    "CollectSettings": "steps",
    "Found": "found",
    "Recipe": "recipe",
    "SearchService": "found",
    "collect": "run",
    "download_images": "course",
    "fetch_photo": "one",
    "list_recipes": "recipe",
    "load_recipe": "recipe",
    "search_images": "course",
    "verify_images": "course",
    "write_digits": "samples",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: the dashboard takes `fetch_photo` and nothing else."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fastclf.collect' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
