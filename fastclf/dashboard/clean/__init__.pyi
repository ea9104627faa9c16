from .panel import CleanPanel as CleanPanel
from .store import CatalogStore as CatalogStore
from .watch import Watch as Watch
