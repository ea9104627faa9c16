from .load import TrainingData as TrainingData
from .load import build_dls as build_dls
from .load import load_data as load_data
from .transforms import AUGMENTATIONS as AUGMENTATIONS
from .transforms import RANDOM_CROP as RANDOM_CROP
