from .addresses import AddressRule as AddressRule
from .addresses import OriginRule as OriginRule
from .failures import FetchError as FetchError
from .fetch import PHOTOS as PHOTOS
from .fetch import Fetcher as Fetcher
from .hosts import HostQueue as HostQueue
from .hosts import Job as Job
from .timed import start_call as start_call
