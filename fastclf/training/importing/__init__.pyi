from .batch_resize import BatchResize as BatchResize
from .reading import read_normalisation as read_normalisation
from .reading import read_preprocess as read_preprocess
