"""What a server of ours answers beside the page: the API, whether it is well, the host's numbers."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from tornado.web import Application, RequestHandler

from ..api import Api, read_api_settings
from ..errors import ServingError
from .watch import Watch, build_watch_routes

_logger = logging.getLogger(__name__)

Route = tuple[str, type[RequestHandler], dict[str, Any]]


class Besides:
    """Addresses that are answered before any of the application's.

    Parameters
    ----------
    api
        The API; None where there is none.
    routes
        (pattern of an address, who answers, with what) of the others.
    """

    def __init__(self, api: Api | None = None, routes: Iterable[Route] = ()) -> None:
        self.api = api
        more: list[Route] = [(path, door, {}) for path, door in api.routes] if api else []
        self._routes = [(re.compile(path), door, given) for path, door, given in (*routes, *more)]

    def find(self, path: str) -> tuple[type[RequestHandler], dict[str, Any]] | None:
        """Return who answers an address, and with what; None where it is none of these."""
        return next(((door, given) for at, door, given in self._routes if at.fullmatch(path)), None)

    def is_data(self, path: str) -> bool:
        """Tell whether what is answered at an address is data, which does nothing in a browser."""
        is_page = self.api is not None and self.api.is_page(path)
        return not is_page and (self.find(path) is not None)

    def asks_itself(self, path: str) -> bool:
        """Tell whether what is at an address needs no password of the page: the API has its token."""
        if self.is_api(path):
            return self.api is not None and bool(self.api.token)
        return self.find(path) is not None

    def is_api(self, path: str) -> bool:
        """Tell whether an address is the API's to answer."""
        return self.api is not None and self.api.owns(path)


def open_besides(app: Application, base: str, manager: Any, watch: Watch) -> Besides:
    """Make what is answered beside the page, below a path."""
    api = _open_api(app, base, manager, watch)
    app.settings["log_function"] = watch.note
    return Besides(api, build_watch_routes(base, watch, manager, api.token if api else ""))


def _open_api(app: Application, base: str, manager: Any, watch: Watch) -> Api | None:
    settings = read_api_settings()
    if settings is None:
        return None
    try:
        api = Api(settings, manager.model, base, watch.counts)
    except ServingError as e:
        # `fastclf serve` has refused that already; whoever starts Voila by hand sees it here
        _logger.error("There is no API. %s", e)
        return None
    app.settings["fastclf_api"] = api
    return api
