from .app import build_app as build_app
from .clean.cleaner import ImageClassifierCleaner as ImageClassifierCleaner
