from .answer_list import AnswerList as AnswerList
from .answers import SURE as SURE
from .answers import find_sure as find_sure
from .model import ClassifyModel as ClassifyModel
from .panel import ClassifyPanel as ClassifyPanel
from .photo_drop import PhotoDrop as PhotoDrop
