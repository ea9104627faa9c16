"""Label Studio's calls of an ML backend: labels for its tasks, whose photos come from one origin."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree

from ..collect import OriginRule, fetch_photo
from ..errors import AddressError, UnreadablePhotoError
from .door import Door
from .limits import FETCH_SECONDS, MOST_FILES
from .predict import write_tag
from .problem import ProblemError
from .service import OpenModel, Said, SentPhoto

_MOST_CONFIG = 2**16
_LONGEST_TOKEN = 1024
_NO_ORIGIN = (
    "This server fetches no photos of Label Studio. Whoever runs it names the one origin that it may fetch "
    "from: fastclf serve --api --api-photos-from http://localhost:8080"
)


@dataclass(frozen=True)
class LabelConfig:
    """Where labels go in a project: the names of its Choices and of its Image, and the field of a task."""

    choices: str
    image: str
    field: str


class Health(Door):
    """Says that the backend runs."""

    is_open = True

    async def act(self) -> None:
        """Answer."""
        self.answer({"status": "UP", "model_class": "fastclf"})


class Setup(Door):
    """Takes note of a project, and of the token that its photos are fetched with."""

    allowed = ("POST",)
    takes_json = True

    async def act(self) -> None:
        """Answer with the model's version."""
        read_config(self.sent.get("schema"))
        token = self.sent.get("access_token")
        if (
            isinstance(token, str)
            and 0 < len(token) <= _LONGEST_TOKEN
            and token.isascii()
            and token.isprintable()
        ):
            self.api.label_studio_token = token
        model = await self.api.service.open()
        self.answer({"model_version": model.hash[:12]})


class PredictTasks(Door):
    """Labels tasks."""

    allowed = ("POST",)
    takes_json = True

    def compute_etag(self) -> None:
        """Leave the tag as it is."""

    async def act(self) -> None:
        """Answer with a result a task, in their order; one whose photo cannot be had has an empty one."""
        origin = self.api.settings.photos_from
        if not origin:
            raise ProblemError(403, _NO_ORIGIN)
        config = read_config(self.sent.get("label_config"))
        tasks = self.sent.get("tasks")
        if not isinstance(tasks, list) or not tasks:
            raise ProblemError(422, "There are no tasks in the request. Send at least one in tasks.")
        if len(tasks) > MOST_FILES:
            raise ProblemError(413, "More than {n} tasks in one request. Send them in several.", n=MOST_FILES)
        model = await self.api.service.open()
        fetches = (self._fetch(find_address(task, config), origin) for task in tasks)
        photos = await asyncio.gather(*fetches)
        said = await self.api.service.answer(model, photos, self.stop)
        self.set_header("ETag", write_tag(model))
        results = [build_result(one, config, model) for one in said]
        self.answer({"results": results, "model_version": model.hash[:12]})

    async def _fetch(self, address: str, origin: str) -> SentPhoto:
        return await self.api.service.call_aside(
            fetch_task_photo, address, origin, self.api.label_studio_token
        )


def fetch_task_photo(address: str, origin: str, token: str) -> SentPhoto:
    """Fetch a task's photo from the one origin; what goes wrong is a photo's fault."""
    whole = urljoin(f"{origin}/", address)
    headers = {"Authorization": f"Token {token}"} if token else {}
    try:
        if not address or whole.startswith("data:"):
            raise AddressError(
                "There is no address. Enter one that leads to a photo, https://... for example."
            )
        name, data = fetch_photo(
            whole, rule=OriginRule(origin=origin), seconds=FETCH_SECONDS, headers=headers
        )
    except AddressError as e:
        return SentPhoto(
            "photo", fault=UnreadablePhotoError("The photo", f"cannot be had: {e.message}"[:300])
        )
    return SentPhoto(name, data)


def find_address(task: object, config: LabelConfig) -> str:
    """Return the address of a task's photo, "" where it names none."""
    data = task.get("data") if isinstance(task, dict) else None
    found = data.get(config.field) if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""


def read_config(text: object) -> LabelConfig:
    """Return where a project's labels go; ProblemError 422 where it labels no photos with choices."""
    wrong = ProblemError(
        422,
        "The project's labelling configuration has no <Choices> for an <Image>. "
        "Add both in the project's settings.",
    )
    if not isinstance(text, str) or len(text) > _MOST_CONFIG or "<!" in text:
        raise wrong
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        raise wrong from None
    images = {one.get("name", ""): one.get("value", "") for one in tree.iter("Image")}
    for choices in tree.iter("Choices"):
        image = choices.get("toName", "")
        if image in images and choices.get("name"):
            return LabelConfig(choices.get("name", ""), image, images[image].removeprefix("$"))
    raise wrong


def build_result(said: Said, config: LabelConfig, model: OpenModel) -> Mapping[str, Any]:
    """Return a task's result as Label Studio takes it."""
    found, version = said.prediction, model.hash[:12]
    if found.error is not None:
        return {"result": [], "score": 0.0, "model_version": version, "error": found.error}
    chosen = {
        "from_name": config.choices,
        "to_name": config.image,
        "type": "choices",
        "value": {"choices": [found.label]},
        "score": found.probability,
    }
    return {"result": [chosen], "score": found.probability, "model_version": version}
