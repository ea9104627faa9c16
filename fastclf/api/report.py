"""A wrong answer, told: `POST /api/v1/report` puts the photo and its right class into the owner's inbox."""

from __future__ import annotations

from ..inbox import Claim
from ..model import Prediction
from .door import Door
from .problem import ProblemError
from .tries import find_caller

_TOO_MANY = (
    "So many reports came from your address that this server takes no more for {n} s. Thank you for all of "
    "them."
)


class TakeReport(Door):
    """Takes a report, where the host keeps any."""

    allowed = ("POST",)
    takes_form = True

    async def act(self) -> None:
        """Keep it, and answer with what the model says of the photo."""
        service, caller = self.api.service, find_caller(self.request)
        if not service.keeps_reports:
            raise ProblemError(404, "This server keeps no reports. Send the photo to whoever runs it.")
        if wait := self.api.reports.find_wait(caller):
            raise ProblemError(429, _TOO_MANY, n=wait, headers={"Retry-After": str(wait)})
        if len(self.form.photos) != 1 or "label" not in self.form.fields:
            raise ProblemError(
                422,
                "A report is one file and the field label: the right class, or nothing where it is none of "
                "the model's.",
            )
        [photo], label = self.form.photos, self.form.fields["label"] or None
        model = await service.open()
        if label is not None and label not in model.predictor.vocab:
            raise ProblemError(
                422,
                "The model has no class {label!r}; it knows {vocab}.",
                label=label[:80],
                vocab=", ".join(model.predictor.vocab)[:2000],
            )
        self.api.reports.add(caller)
        features_id = model.predictor.bundle.manifest.features_id

        def claim(said: Prediction) -> Claim:
            return Claim(
                name=photo.name,
                answer=said.label,
                probability=said.probability,
                label=label,
                model=features_id,
            )

        await service.report(claim, model, photo)
        self.answer({"kept": True}, 201)
