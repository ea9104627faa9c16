"""Getting photos: recipes and the samples that need no network."""

from .recipe import Recipe, list_recipes, load_recipe
from .samples import write_digits

__all__ = ["Recipe", "list_recipes", "load_recipe", "write_digits"]
