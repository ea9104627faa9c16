from .calibrate import Answers as Answers
from .calibrate import describe_answers as describe_answers
from .calibrate import write_examples as write_examples
from .run import Evaluation as Evaluation
from .run import evaluate as evaluate
