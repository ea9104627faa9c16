from .base_url import read_base_url as read_base_url
from .passwords import make_password_line as make_password_line
from .run import check_port as check_port
from .run import check_serving as check_serving
from .run import find_inbox_file as find_inbox_file
from .run import serve as serve
from .settings import SETTINGS as SETTINGS
from .settings import load_settings as load_settings
