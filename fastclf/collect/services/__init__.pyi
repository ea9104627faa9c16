from .json_api import NO_LIST as NO_LIST
from .json_api import ask_json as ask_json
from .json_api import build_service as build_service
from .json_api import read_text as read_text
from .url_list import UrlList as UrlList
