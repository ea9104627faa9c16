"""Getting photos: recipes, searches, archives, folders, and the sample that needs no network.

`search_images`, `download_images` and `verify_images` have the names of the fast.ai course.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
