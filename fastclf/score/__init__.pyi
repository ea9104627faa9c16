from .batch import ScoreBatch as ScoreBatch
from .run import score_photos as score_photos
from .scorer import hash_model as hash_model
from .summary import SUMMARY as SUMMARY
from .summary import ScoreSummary as ScoreSummary
