from .panel import AboutPanel as AboutPanel
from .photos import ValidationPhotos as ValidationPhotos
