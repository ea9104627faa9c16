"""Writing a model's manifest and card, so that a kill leaves a model that opens."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from ..errors import BundleError
from ..model import (
    CARD_FILES,
    DAMAGE,
    MANIFEST,
    Manifest,
    ModelBundle,
    Predictor,
    hash_files,
    record_answers,
    write_answers,
)
from ..system import hash_bytes, hash_file, recover_folder, write_atomic
from .render import build_card_html, build_card_markdown

_logger = logging.getLogger(__name__)


def build_card(manifest: Manifest) -> dict[str, bytes]:
    """Return the card's files, {name: content}: the same for the same manifest.

    What renders the card reads `Manifest.to_dict`, since it has to do with figures of any version.
    """
    values = manifest.to_dict()
    texts = (build_card_markdown(values), build_card_html(values))
    return {name: text.encode() for name, text in zip(CARD_FILES, texts, strict=True)}


def write_bundle(folder: Path, manifest: Manifest) -> ModelBundle:
    """Finish a new bundle, in whose folder all other files stand: write known answers, card and manifest.

    The files' hashes are entered in the manifest.

    Raises
    ------
    BundleError
        If what stands in the folder is no sound bundle.
    """
    for name, content in build_card(manifest).items():
        write_atomic(folder / name, content)
    _record_answers(ModelBundle(folder, manifest))
    replace(manifest, files=hash_files(folder)).write(folder)
    return ModelBundle.load(folder, verify=False)


def _record_answers(bundle: ModelBundle) -> None:
    # the files that stand there are the bundle's, though no manifest lists them yet
    listed = replace(bundle.manifest, files=hash_files(bundle.path))
    bundle = replace(bundle, manifest=listed)
    with Predictor(bundle) as predictor:
        write_answers(bundle.path, record_answers(bundle, predictor.run))


def save_manifest(folder: Path, manifest: Manifest) -> ModelBundle:
    """Write a changed manifest and the card that follows from it; returns the model as it is then.

    The manifest comes first, since the card can be made from it again: after a kill in between, the next
    call does so, and `repair_bundle`.

    Raises
    ------
    BundleError
        If no card can be made of the figures. Nothing is changed then.
    """
    try:
        card = build_card(manifest)
    except DAMAGE as e:
        raise BundleError(
            "The model {path} has figures in {file} that no card can be made of ({reason}). Train again.",
            path=folder,
            file=MANIFEST,
            reason=e,
        ) from None
    hashes = {name: hash_bytes(content) for name, content in card.items()}
    manifest = replace(manifest, files={**manifest.files, **hashes})
    manifest.write(folder)
    for name, content in card.items():
        write_atomic(folder / name, content)
    return ModelBundle(folder, manifest)


def repair_bundle(folder: Path) -> None:
    """Undo what a kill left behind: bring back a model that was half replaced, make a stale card anew.

    For those who write and for the start of a server: reading a model changes nothing. Where there is no
    sound model nothing is done; a folder that cannot be written keeps its card, with a warning.
    """
    recover_folder(folder)
    try:
        manifest = Manifest.read(folder)
        listed = {name: manifest.files[name] for name in CARD_FILES if name in manifest.files}
        if all(_hash_or_none(folder / name) == expected for name, expected in listed.items()):
            return
        for name, content in build_card(manifest).items():
            if name in listed and _hash_or_none(folder / name) != hash_bytes(content):
                write_atomic(folder / name, content)
    except BundleError:
        return  # whoever opens it says what is wrong
    except DAMAGE as e:
        _logger.warning("The card of %s is out of date and cannot be written (%s).", folder, e)


def _hash_or_none(file: Path) -> str | None:
    return hash_file(file) if file.is_file() else None
