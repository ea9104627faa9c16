from .claim import Claim as Claim
from .claim import KeptReport as KeptReport
from .claim import Report as Report
from .claim import build_report_zip as build_report_zip
from .claim import clean_name as clean_name
from .inbox import Inbox as Inbox
from .inbox import find_inbox as find_inbox
