from .build import Site as Site
from .build import build_site as build_site
from .data import PRECISIONS as PRECISIONS
from .data import shortens_columns_first as shortens_columns_first
from .data import write_data as write_data
from .teach import build_teach_site as build_teach_site
