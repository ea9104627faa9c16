"""The API as a part of a server: its addresses, and what they share."""

from __future__ import annotations

import re
from pathlib import Path

from tornado.web import RequestHandler

from ..inbox import find_inbox
from ..model import ModelSource
from . import docs, hugging_face, label_studio, open_inference, predict, report
from .counts import Counts
from .door import Door
from .limits import MOST_REPORTS, MOST_TRIES, REPORTS_SECONDS, TRIES_SECONDS
from .problem import build_usual_problem
from .service import Service
from .settings import ApiSettings
from .tries import Tries

_V2_MODEL = rf"v2/models/{open_inference.MODEL}(?:/versions/[0-9a-f]+)?"
_DOORS: dict[str, type[RequestHandler]] = {
    "api/v1/predict": predict.Predict,
    "api/v1/model": predict.ModelInfo,
    "api/v1/report": report.TakeReport,
    "api/hf": hugging_face.HuggingFace,
    "api/labels/health": label_studio.Health,
    "api/labels/setup": label_studio.Setup,
    "api/labels/predict": label_studio.PredictTasks,
    "v2/?": open_inference.ServerMetadata,
    "v2/health/live": open_inference.Live,
    "v2/health/ready": open_inference.Ready,
    _V2_MODEL: open_inference.ModelMetadata,
    f"{_V2_MODEL}/ready": open_inference.Ready,
    f"{_V2_MODEL}/infer": open_inference.Infer,
    "api/docs": docs.Docs,
    r"openapi\.json": docs.OpenApi,
}
# all that is answered by the API, as a page answers no problem JSON
_SPACE = r"(api/(v1|hf|labels|docs)(/.*)?|v2(/.*)?|openapi\.json)"


class NoDoor(Door):
    """Says that there is nothing at an address."""

    allowed = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    is_open = True

    async def act(self) -> None:
        """Refuse."""
        raise build_usual_problem(404)

    def _open_body(self) -> None:
        return None


class Api:
    """What the addresses of an API share.

    Parameters
    ----------
    settings
        The host's.
    model
        Folder of the model.
    base
        The path before all others, with a slash at both ends.
    counts
        What is counted.

    Raises
    ------
    ServingError
        If a setting cannot be used.
    """

    def __init__(self, settings: ApiSettings, model: Path, base: str, counts: Counts) -> None:
        settings.check()
        self.settings, self.base, self.token = settings, base, settings.read_token()
        source = ModelSource(model)
        source.start()
        self.service = Service(source, find_inbox(), counts)
        self.tries = Tries(MOST_TRIES, TRIES_SECONDS)
        self.reports = Tries(MOST_REPORTS, REPORTS_SECONDS)
        # what Label Studio gave to fetch its photos with; in memory alone
        self.label_studio_token = ""
        self._origins = frozenset(settings.cors)
        self._space = re.compile(f"{re.escape(base)}{_SPACE}")

    @property
    def routes(self) -> list[tuple[str, type[RequestHandler]]]:
        """The addresses as patterns, each with who answers; the last takes what is none."""
        base = re.escape(self.base)
        return [*((f"{base}{path}", door) for path, door in _DOORS.items()), (f"{base}{_SPACE}", NoDoor)]

    def owns(self, path: str) -> bool:
        """Tell whether an address is the API's to answer."""
        return self._space.fullmatch(path) is not None

    def is_page(self, path: str) -> bool:
        """Tell whether an address is that of a page for people."""
        return path == f"{self.base}api/docs"

    def allows_origin(self, origin: str) -> bool:
        """Tell whether the host lets pages of another origin call the API."""
        return "*" in self._origins or origin.lower() in self._origins
