"""Services that find photos by words, and how one is built by its name."""

from .json_api import NO_LIST, SERVICES, ask_json, build_service, read_text
