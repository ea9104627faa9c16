from .calibrate import Answers as Answers
from .calibrate import calibrate_bundle as calibrate_bundle
from .calibrate import write_examples as write_examples
from .ood_photos import record_ood as record_ood
from .run import Evaluation as Evaluation
from .run import evaluate as evaluate
from .run import record_opening as record_opening
