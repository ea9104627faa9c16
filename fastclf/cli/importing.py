"""The command that takes in what was made elsewhere: `fastclf import`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import LearnerError, UsageError
from .console import Json, print_json, say, show_progress, using_fastai
from .places import check_model, check_photos

if TYPE_CHECKING:
    from ..received import ImportedProject

# What an option is for, where the file is of another kind.
_OF_LEARNERS, _OF_PROJECTS = "an exported Learner", "a project of Teach"


def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A project that Teach saved in a browser (project.zip), one of Teachable Machine (.tm), or "
            "what `learn.export('export.pkl')` wrote.",
        ),
    ],
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Open an export.pkl. A pickle can run any code its author put into it: open only your own, "
            "or those of people you trust.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the model.")] = Path("model"),
    title: Annotated[
        str, typer.Option(help="The dashboard's title; by default the project's own, or the classes.")
    ] = "",
    class_names: Annotated[
        str | None,
        typer.Option(
            help="New class names of a Learner's, in its own order (dog,cat); by default its own.",
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(
            help="Of a project: the new folder of its photos, by default photos/TITLE. Of a Learner: photos "
            "to compare both models on, by default generated pictures."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="The model that the page of a project was made of; by default the packaged network.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in a project or a Learner: a model that is checked to give the same answers, and photos."""
    from ..received import PROJECT, REPORT, TEACHABLE, find_file_kind

    learner = {"--trust-pickle": trust_pickle, "--class-names": class_names}
    kind = find_file_kind(file)
    if kind == REPORT:
        raise UsageError(
            "{file} is a visitor's report. Take it into the inbox: fastclf inbox add MODEL {quoted}.",
            file=file,
            quoted=shlex.quote(str(file)),
        )
    if kind == PROJECT:
        _refuse_options(file, learner, _OF_LEARNERS)
        _import_project(file, out, photos, model, title=title, as_json=as_json)
    elif kind == TEACHABLE:
        _refuse_options(
            file, {**learner, "--model": model, "--title": title}, f"{_OF_LEARNERS} or {_OF_PROJECTS}"
        )
        _import_teachable(file, photos, as_json)
    else:
        _refuse_options(file, {"--model": model}, _OF_PROJECTS)
        names = None if class_names is None else class_names.split(",")
        _import_learner(
            file, trust_pickle, out, title=title, class_names=names, photos=photos, as_json=as_json
        )


def _refuse_options(file: Path, options: dict[str, Any], kind: str) -> None:
    """Refuse an option that means nothing for this kind of file."""
    for name, value in options.items():
        if value:
            raise UsageError("{name} is for {kind}, and {file} is none.", name=name, kind=kind, file=file)


def _import_project(
    file: Path, out: Path, photos: Path | None, model: Path | None, *, title: str, as_json: bool
) -> None:
    if model is not None:
        check_model(model, "import PROJECT --model MODEL")
    from ..received import import_project

    made = import_project(
        file, out, photos, model=model, title=title, say=say, progress=show_progress("reading photos")
    )
    if as_json:
        facts = {
            "photos": str(made.folder), "compared": made.compared, "allowed": made.allowed,
            "largest_difference": made.largest_difference,
        }  # fmt: skip
        print_json({**made.bundle.manifest.to_dict(), "path": str(made.bundle.path), "import": facts})
    _tell_project(made)


def _tell_project(made: ImportedProject) -> None:
    project, bundle = made.project, made.bundle
    say(f"{len(project.photos):,} photos of {len(made.labels)} classes are in {made.folder}.")
    say(
        f"The model answers as the page did about {made.compared} photos: probabilities differ by "
        f"{made.largest_difference:.1g} at most ({made.allowed:g} is allowed)."
    )
    if project.judged:
        low, high = project.judged["interval"]
        share = project.judged["right"] / project.judged["photos"]
        say(
            f"The page said: {share:.1%} right (95 % interval {low:.3f} to {high:.3f}), by "
            f"{project.judged['by']}."
        )
    if valid := bundle.manifest.metrics.valid:
        low, high = valid["accuracy_interval"]
        say(
            f"Validation accuracy {valid['accuracy']:.4f} (95 % interval {low:.3f} to {high:.3f}, "
            f"n = {valid['n']}), on photos that the head has not learned."
        )
    path, folder = shlex.quote(str(bundle.path)), shlex.quote(str(made.folder))
    say(f"The model is in {bundle.path}. Next: fastclf serve {path} --photos {folder}")


def _import_teachable(file: Path, photos: Path | None, as_json: bool) -> None:
    from ..received import import_teachable

    made = import_teachable(file, photos, say=say)
    if as_json:
        skipped = [{"file": name, "reason": reason} for name, reason in made.skipped]
        classes = list(made.labels)
        print_json({"photos": str(made.folder), "n": made.photos, "classes": classes, "skipped": skipped})
    for name, reason in made.skipped[:20]:
        say(f"Skipped: {name} {reason}.")
    if len(made.skipped) > 20:
        say(f"... and {len(made.skipped) - 20} more files that cannot be read.")
    folder = shlex.quote(str(made.folder))
    say(
        f"{made.photos:,} photos of {len(made.labels)} classes are in {made.folder}. What Teachable Machine "
        f"trained is not taken over. Next: fastclf train {folder}"
    )


def _import_learner(file: Path, trust_pickle: bool, out: Path, *, as_json: bool, **options: Any) -> None:
    from ..model import check_target, check_trusted

    check_trusted(file, trust_pickle)
    check_target(out.resolve())
    if options["photos"] is not None:
        check_photos(options["photos"], "import export.pkl --photos DIR")
    from ..training import read_pickle

    # what is none is refused before fastai is loaded
    if b"fastai" not in read_pickle(file):
        raise LearnerError(
            "{file} is a pickle, but of nothing of fastai's. `learn.export('export.pkl')` writes what can be "
            "imported.",
            file=file,
        )
    with using_fastai():
        from ..training import import_learner as run_import

        bundle = run_import(file, out, trust_pickle=trust_pickle, say=say, **options)
    if as_json:
        print_json({**bundle.manifest.to_dict(), "path": str(bundle.path)})
    say(f"The model is in {bundle.path}. Next: fastclf serve {bundle.path}")
