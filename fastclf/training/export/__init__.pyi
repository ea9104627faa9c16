from .bundle import PARITY as PARITY
from .bundle import check_parity as check_parity
from .bundle import check_target as check_target
from .bundle import export_bundle as export_bundle
from .graph import ExportNet as ExportNet
from .graph import compute_features_id as compute_features_id
from .graph import write_graph as write_graph
