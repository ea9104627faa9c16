from .frozen import Backbone as Backbone
from .frozen import open_packaged as open_packaged
from .lite0 import build_lite0 as build_lite0
from .packaged import PACKAGED as PACKAGED
from .packaged import PackagedWeights as PackagedWeights
from .packaged import find_packaged as find_packaged
from .packaged import read_packaged as read_packaged
from .torch_file import read_tensors as read_tensors
