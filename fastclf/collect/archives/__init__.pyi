from .archive import read_archive as read_archive
from .download import download_archive as download_archive
from .members import LIMITS as LIMITS
from .members import Member as Member
from .members import ReadLimits as ReadLimits
from .members import Wanted as Wanted
from .members import is_photo_name as is_photo_name
from .source import read_source as read_source
