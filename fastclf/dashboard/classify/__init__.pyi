from .model import ClassifyModel as ClassifyModel
from .panel import ClassifyPanel as ClassifyPanel
