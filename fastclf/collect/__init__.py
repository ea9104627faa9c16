"""Getting photos: recipes, searches, archives, folders, and the sample that needs no network.

`search_images`, `download_images` and `verify_images` have the names of the fast.ai course.
"""

from .course import download_images, search_images, verify_images
from .found import Found, SearchService
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
    "list_recipes",
    "load_recipe",
    "search_images",
    "verify_images",
    "write_digits",
]
