from .service import SERVICES as SERVICES
from .service import Found as Found
from .service import LimitedError as LimitedError
from .service import SearchService as SearchService
from .service import UnreachableError as UnreachableError
from .service import build_service as build_service
from .url_list import UrlList as UrlList
