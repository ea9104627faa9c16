from .loaders import build_dls as build_dls
from .loaders import build_frame as build_frame
from .loaders import build_resize as build_resize
from .loaders import mirror_preprocess as mirror_preprocess
