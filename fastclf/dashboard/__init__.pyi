from .app import build_app as build_app
from .clean.cleaner import ImageClassifierCleaner as ImageClassifierCleaner
from .notebook_parts import build_card as build_card
from .notebook_parts import build_classifier as build_classifier
from .notebook_parts import build_cleaner as build_cleaner
from .notebook_parts import build_confusion_matrix as build_confusion_matrix
