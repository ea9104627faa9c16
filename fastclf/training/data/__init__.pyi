from .load import TrainingData as TrainingData
from .load import load_data as load_data
from .loaders import AUGMENTATIONS as AUGMENTATIONS
from .loaders import RANDOM_CROP as RANDOM_CROP
from .loaders import build_dls as build_dls
