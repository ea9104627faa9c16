from .catalog import Catalog as Catalog
from .check import check_folder as check_folder
from .collect import collect_photos as collect_photos
from .dashboard import ImageClassifierCleaner as ImageClassifierCleaner
from .errors import FastclfError as FastclfError
from .evaluation import evaluate as evaluate
from .head import refit_head as refit_head
from .model import Explanation as Explanation
from .model import ModelBundle as ModelBundle
from .model import Prediction as Prediction
from .model import Predictor as Predictor
from .model import explain_answer as explain_answer
from .server import serve as serve
from .training import train as train

__version__: str
