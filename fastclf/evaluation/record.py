"""What an evaluation leaves in the model: openings of its test set, and how it told other photos."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..card import save_manifest
from ..errors import BundleError
from ..metrics import Metrics
from ..model import ModelBundle
from ..system import utc_now

# What an opening of the test set keeps for good; the whole of the first look is in the metrics.
_KEPT = {"n", "accuracy", "accuracy_interval", "error_rate", "error_interval", "loss", "ece"}


def record_opening(
    bundle: ModelBundle, folder: str, metrics: Metrics, false_alarms: dict[str, Any] | None = None
) -> ModelBundle:
    """Note in manifest and card that the sealed test set was opened; returns the new state.

    `metrics` were found in the `folder` of that name; `false_alarms` says with ``n``, ``rate`` and
    ``interval`` how many of its test photos are called unfamiliar.
    """
    manifest = bundle.manifest
    brief = {name: value for name, value in metrics.items() if name in _KEPT}
    opening = {"time": utc_now(), "folder": folder, "metrics": brief}
    sealed = replace(manifest.sealed_test, openings=[*manifest.sealed_test.openings, opening])
    manifest = replace(manifest, sealed_test=sealed)
    # a part of the test photos, or a second look at them, does not replace the first look at all of them
    known = manifest.metrics.test
    if not known or known["n"] < metrics["n"]:
        manifest = replace(manifest, metrics=replace(manifest.metrics, test=metrics))
        if false_alarms and manifest.ood:
            manifest = replace(manifest, ood=replace(manifest.ood, test_false_alarms=false_alarms))
    return save_manifest(bundle.path, manifest)


def record_ood(bundle: ModelBundle, entry: dict[str, Any]) -> ModelBundle:
    """Note in manifest and card how photos of something else were told; returns the new state.

    The entry is one of `fastclf.model.Ood.against`; an earlier one of that name gives way.

    Raises
    ------
    BundleError
        If the model has nothing that tells unfamiliar photos.
    """
    ood = bundle.manifest.ood
    if ood is None:
        raise BundleError(f"The model {bundle.path} does not tell unfamiliar photos. Train again.")
    others = [e for e in ood.against if e["name"] != entry["name"]]
    ood = replace(ood, against=[*others, {**entry, "time": utc_now()}])
    return save_manifest(bundle.path, replace(bundle.manifest, ood=ood))
