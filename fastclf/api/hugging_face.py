"""The form in which huggingface_hub's `InferenceClient.image_classification` asks: `POST /api/hf`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from .bodies import NO_NAME
from .door import Door
from .predict import read_top, write_tag
from .problem import ProblemError
from .service import SentPhoto


def read_base64(text: object) -> bytes:
    """Return what a text holds as base64; ProblemError 422 where it is none."""
    try:
        return base64.b64decode(text if isinstance(text, str) else "-", validate=True)
    except (binascii.Error, ValueError):
        raise ProblemError(422, "A photo in JSON is written as base64, and this is none.") from None


class HuggingFace(Door):
    """Answers about one photo with labels and scores."""

    allowed = ("POST",)
    takes_json = takes_bytes = True

    async def act(self) -> None:
        """Answer with a list of labels and scores, the most probable first."""
        photo = SentPhoto(NO_NAME, self._take())
        asked = self.sent.get("parameters") or {}
        if not isinstance(asked, dict) or asked.get("function_to_apply") not in (None, "softmax"):
            raise ProblemError(
                422, "Probabilities are those of softmax here; function_to_apply is softmax or left out."
            )
        model = await self.api.service.open()
        top = read_top(asked.get("top_k"), len(model.predictor.vocab))
        [said] = await self.api.service.answer(model, [photo], self.stop)
        if said.prediction.error is not None:
            raise ProblemError(422, said.prediction.error)
        self.set_header("ETag", write_tag(model))
        probs = said.to_dict(top)["probs"]
        self.answer([{"label": label, "score": score} for label, score in probs.items()])

    def compute_etag(self) -> None:
        """Leave the tag as it is."""

    def more_of_problem(self, problem: ProblemError) -> Mapping[str, object]:
        """Say it in the field that such clients read, too."""
        return {"error": str(problem.message)}

    def _take(self) -> bytes:
        data = read_base64(self.sent.get("inputs")) if self.raw is None else bytes(self.raw.data)
        if not data:
            raise ProblemError(400, "There is no photo in the request. Send its bytes as the body.")
        return data
