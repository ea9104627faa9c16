"""The catalog of a photo folder: scan, edits, splits and checks, in one SQLite file."""

from .arrivals import Arrival, Copy, describe_arrival
from .assign import Assignment, assign_splits
from .catalog import Catalog
from .edits import Edit, EditRow
from .fetches import Fetch, FetchLedger, Outcome
from .given import GivenSplits, read_given_splits
from .materialize import Materialized
from .pairs import NearPair, NearPairs, find_pairs_across
from .reconcile import ScanResult
from .travel import ImportReport, count_words, export_edits, import_edits

__all__ = [
    "Arrival",
    "Assignment",
    "Catalog",
    "Copy",
    "Edit",
    "EditRow",
    "Fetch",
    "FetchLedger",
    "GivenSplits",
    "ImportReport",
    "Materialized",
    "NearPair",
    "NearPairs",
    "Outcome",
    "ScanResult",
    "assign_splits",
    "count_words",
    "describe_arrival",
    "export_edits",
    "find_pairs_across",
    "import_edits",
    "read_given_splits",
]
