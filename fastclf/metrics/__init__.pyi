from .reliability import wilson_interval as wilson_interval
from .scores import compute_auroc as compute_auroc
from .scores import compute_confusion as compute_confusion
from .scores import compute_log_loss as compute_log_loss
from .scores import compute_metrics as compute_metrics
from .scores import compute_softmax as compute_softmax
from .temperature import fit_temperature as fit_temperature
