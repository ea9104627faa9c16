"""Very many photos answered about, into Parquet: on one machine, as a job array, or on a Dask cluster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
