"""Whether a model's folder is what its maker wrote, and answers here as it did there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import FastclfError, Message, count_message
from ..system import wait_for_folder
from .bundle import ModelBundle, find_bundle_folder
from .manifest import CARD_FILES, Manifest
from .parity import ALLOWED, PARITY_FILE, Comparison, compare_answers
from .predictor import Predictor

_REPAIR = Message("The card {name} {fault}; the next retraining or evaluation writes it again.")


@dataclass(frozen=True)
class Verification:
    """What was found on verifying a model.

    Attributes
    ----------
    model
        Its folder.
    files
        How many files were compared with their hashes.
    faults
        A sentence each of what is not as it should be.
    notes
        A sentence each of what else there is to say.
    answers
        How its answers compare with the recorded ones; None where they could not be compared.
    """

    model: Path
    files: int
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    answers: Comparison | None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify_bundle(path: str | Path) -> Verification:
    """Compare a model's files with their hashes, and its answers with those that were recorded with it.

    Parameters
    ----------
    path
        Folder of the model.

    Returns
    -------
    Verification
        A sentence for each fault, and how the answers compare.

    Raises
    ------
    BundleError
        If there is no model, or its manifest cannot be read.

    Examples
    --------
    >>> found = verify_bundle("model")
    >>> found.is_sound, found.files, found.faults
    (True, 10, ())
    """
    folder = find_bundle_folder(Path(path))
    wait_for_folder(folder)
    # a file that is not as it was is named, though the model does not open with it
    bundle = ModelBundle(folder, Manifest.read(folder))
    found = bundle.list_faults()
    faults = [Message("{name} {fault}.", name=n, fault=f) for n, f in found if n not in CARD_FILES]
    notes = [Message(_REPAIR, name=n, fault=f) for n, f in found if n in CARD_FILES]
    answers = None
    if PARITY_FILE not in bundle.manifest.files:
        notes.append(
            Message("This model was made before answers were recorded; only its files are compared.")
        )
    if not faults:
        answers, wrong = _compare(bundle)
        faults += wrong
        notes += _tell_reading(answers)
    return Verification(bundle.path, len(bundle.manifest.files), tuple(faults), tuple(notes), answers)


def _compare(bundle: ModelBundle) -> tuple[Comparison | None, list[Message]]:
    try:
        with Predictor(ModelBundle.load(bundle.path, verify=False)) as predictor:
            known = PARITY_FILE in bundle.manifest.files
            answers = compare_answers(bundle, predictor.run) if known else None
    except FastclfError as e:
        return None, [e.message]
    if answers is None or answers.is_same:
        return answers, []
    return answers, [
        Message(
            "It answers otherwise here than where it was made: probabilities differ by up to {worst:.2g} "
            "(allowed: {allowed:g}). Update fastclf and its packages, or train again.",
            worst=answers.largest_difference,
            allowed=ALLOWED,
        )
    ]


def _tell_reading(answers: Comparison | None) -> list[Message]:
    if answers is None or not answers.read_otherwise:
        return []
    return [
        count_message(
            answers.read_otherwise,
            "{n} of {total} pictures has other pixels here: another version of Pillow decodes it.",
            "{n} of {total} pictures have other pixels here: another version of Pillow decodes them.",
            total=answers.photos,
        )
    ]
