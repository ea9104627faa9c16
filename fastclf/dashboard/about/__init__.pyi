from .confusion import ConfusionMatrix as ConfusionMatrix
from .model import CellModel as CellModel
from .model import find_confusion as find_confusion
from .panel import AboutPanel as AboutPanel
from .photos import ValidationPhotos as ValidationPhotos
from .static import write_about as write_about
