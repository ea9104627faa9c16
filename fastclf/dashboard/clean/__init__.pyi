from .panel import CleanPanel as CleanPanel
from .reports import build_store as build_store
from .store import CatalogStore as CatalogStore
