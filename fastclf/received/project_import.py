"""A project that was taught in a browser becomes a folder of photos and a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ProjectError, UsageError
from ..model import ModelBundle, check_target
from ..photos import TRAIN, Photo, Progress
from .class_folders import name_folders, name_photo
from .photo_folder import (
    ClassNames,
    NewPhoto,
    check_photo_target,
    holds_photos,
    record_labels,
    write_photo_folder,
)
from .project import Project, ProjectPhoto
from .project_zip import read_photos, read_project


@dataclass(frozen=True)
class ImportedProject:
    """What became of a project.

    Attributes
    ----------
    bundle
        The model.
    folder
        The folder of the photos.
    project
        What the project said of itself.
    labels
        (K,) what its classes are called here.
    compared, largest_difference, allowed
        On how many photos the model's probabilities were compared with the page's, by how much they differ,
        and by how much they may.
    is_new
        Whether the folder was written now, and was not there from an earlier import.
    """

    bundle: ModelBundle
    folder: Path
    project: Project
    labels: tuple[str, ...]
    compared: int
    largest_difference: float
    allowed: float
    is_new: bool


def import_project(
    file: str | Path,
    out: str | Path = "model",
    photos: str | Path | None = None,
    *,
    model: str | Path | None = None,
    title: str = "",
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> ImportedProject:
    """Turn the project that Teach saved in a browser into a folder of photos and a model.

    The photos lie in folders of their classes, with the splits that they had when the head was fitted, so
    that cleaning, retraining and `evaluate` go on from there. The model is written only if it answers about
    the project's photos as the page did. Called again after it was broken off, it goes on.

    Parameters
    ----------
    file
        The project's zip file.
    out
        Folder of the model; an earlier model there is replaced in one step.
    photos
        Folder of the photos, which must not hold anything yet; by default one in ``photos/`` that is called
        as the project is.
    model
        The model that the page was made of, where that was one.
    title
        What the dashboard calls the model; by default the project's own title.
    say
        Called with sentences about what is done.
    progress
        Called with (done, all) while photos are read and features are computed.

    Returns
    -------
    ImportedProject
        The model, the folder, and how its answers compare with the page's.

    Raises
    ------
    ProjectError
        If it is no project, something in it is not as it has to be, or the model would answer otherwise.
    ArchiveError
        If the zip file is damaged, or unpacks to more than photos do.
    UsageError
        If a place is taken or cannot be written.
    WeightsError, BundleError
        If the network that it was taught on cannot be had.

    Examples
    --------
    >>> imported = import_project("project.zip", "model-2", "photos/taught")
    >>> imported.labels, imported.is_new
    (('blue', 'green', 'red'), True)
    """
    path, target = Path(file), Path(out)
    check_target(target.resolve())
    project = read_project(path)
    folder = Path(photos) if photos is not None else Path("photos") / _name_folder(project, path)
    _check_apart(folder, target)
    from .taught_model import TaughtPhotos, build_model, open_body

    body = open_body(project, None if model is None else Path(model))
    names = ClassNames.choose(project.vocab)
    is_new = _write_photos(path, project, folder, names, say)
    splits = _list_splits(project)
    _tell_names(project, names, say)
    listed = record_labels(folder, names, splits, progress)
    taught = TaughtPhotos(folder, _match(project, names, listed, folder), names.labels)
    say("Computing features and comparing the answers with the page's ...")
    parity = build_model(project, taught, body, target, title=title or project.title, progress=progress)
    return ImportedProject(
        ModelBundle.load(target), folder, project, names.labels,
        parity.photos, parity.largest_difference, parity.allowed, is_new,
    )  # fmt: skip


def _name_folder(project: Project, path: Path) -> str:
    """Return a name for the folder of the photos: the title's, or the file's."""
    text = re.sub(r"[^\w-]+", "-", project.title.lower()).strip("-_")[:60].strip("-_")
    return name_folders([text or path.stem or "project"])[0]


def _check_apart(folder: Path, target: Path) -> None:
    photos, model = folder.resolve(), target.resolve()
    if photos == model or photos in model.parents or model in photos.parents:
        raise UsageError(
            "The photos ({folder}) and the model ({target}) have to lie apart. Name other folders with "
            "--photos and --out.",
            folder=folder,
            target=target,
        )


def _write_photos(
    path: Path, project: Project, folder: Path, names: ClassNames, say: Callable[[str], None]
) -> bool:
    """Write the photos, unless all are there already; returns whether they were written now."""
    hashes = {_name_in(names, photo): photo.sha256 for photo in project.photos}
    if holds_photos(folder, hashes):
        say(f"The photos are in {folder} already.")
        return False
    check_photo_target(folder)
    say(f"Reading {len(project.photos):,} photos of {len(project.vocab)} classes ...")
    write_photo_folder(folder, names, _list_new(path, project))
    return True


def _list_new(path: Path, project: Project) -> Iterator[NewPhoto]:
    for opened in read_photos(path, project):
        yield NewPhoto(opened.photo.label, _name_file(opened.photo), opened.data)


def _name_file(photo: ProjectPhoto) -> str:
    number, _, suffix = photo.file.rpartition("/")[2].rpartition(".")
    return name_photo(number, photo.name, suffix)


def _name_in(names: ClassNames, photo: ProjectPhoto) -> str:
    return f"{names.folders[photo.label]}/{_name_file(photo)}"


def _list_splits(project: Project) -> Mapping[str, tuple[str, str]]:
    """Return {sha256: (group, split)}; bytes that were learned anywhere are learned."""
    return {
        photo.sha256: (photo.given_group, photo.split)
        for photo in sorted(project.photos, key=lambda photo: photo.split == TRAIN)
    }


def _match(project: Project, names: ClassNames, listed: tuple[Photo, ...], folder: Path) -> tuple[Photo, ...]:
    """Return the folder's photos in the order of the project's."""
    known = {photo.name: photo for photo in listed}
    wanted = [_name_in(names, photo) for photo in project.photos]
    if lost := [name for name in wanted if name not in known]:
        raise ProjectError(
            "{n} photos are gone from {folder}, {name} for example. Remove the folder and import again.",
            n=len(lost),
            folder=folder,
            name=lost[0],
        )
    return tuple(known[name] for name in wanted)


def _tell_names(project: Project, names: ClassNames, say: Callable[[str], None]) -> None:
    told = zip(project.vocab, names.labels, names.folders, strict=True)
    for name, label, own in told:
        if label != name:
            say(f"The class {name!r} is called {label!r} here: no folder can have its name.")
        elif own != name:
            say(f"The photos of {name!r} are in the folder {own}.")
