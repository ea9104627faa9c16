"""What a repository lacks before Binder can start its dashboard, and the link that does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..errors import BundleError, Message
from ..model import ModelBundle
from .repository import Remote, Repository

_SERVICE = "https://mybinder.org"
# Voila as an extension of the session's own Jupyter server: a session has one visitor, for whom a second
# server would only cost memory and seconds (benchmarks/README.md)
_PAGE = "voila/render/dashboard.ipynb"
_NOTEBOOK, _MODEL, _SAMPLE = "dashboard.ipynb", "model", ".binder/model"
# what answers need of a model
_NEEDED = ("bundle.json", "model.onnx", "head.npz", "ood.npz")
# what says what Binder installs, in the order in which it looks
_RECIPES = ("Dockerfile", "environment.yml", "requirements.txt", "setup.py", "pyproject.toml")
_FOLDERS = ("binder/", ".binder/")
_LICENCES = ("LICENSE", "LICENCE", "COPYING", "UNLICENSE")
_MB = 2**20
# GitHub refuses a larger file
_MOST_FILE = 100 * _MB
# Binder's first start copies all of it; chosen by hand
_MUCH = 500 * _MB
_UNKNOWN = ("", "not recorded")


@dataclass(frozen=True)
class BinderReport:
    """What was found.

    Attributes
    ----------
    link
        What starts the dashboard; empty where the repository is nowhere that Binder reaches.
    missing
        Why it would not start, or not show this model.
    advice
        What is worth knowing before others open it.
    """

    link: str
    missing: tuple[Message, ...]
    advice: tuple[Message, ...]

    @property
    def is_ready(self) -> bool:
        """Whether the link starts this dashboard, as far as can be known here."""
        return bool(self.link) and not self.missing

    @property
    def badge(self) -> str:
        """The Markdown of a badge for a README."""
        return f"[![Binder]({_SERVICE}/badge_logo.svg)]({self.link})" if self.link else ""

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {
            "ready": self.is_ready,
            "link": self.link,
            "badge": self.badge,
            "missing": list(map(str, self.missing)),
            "advice": list(map(str, self.advice)),
        }


def check_binder(folder: str | Path = ".") -> BinderReport:
    """Look at the repository that a folder is in, as it is here; nothing is fetched or changed.

    Parameters
    ----------
    folder
        A folder of the repository.

    Returns
    -------
    BinderReport
        The link, and why it would not work yet.

    Examples
    --------
    >>> report = check_binder(".")
    >>> report.link, len(report.missing) > 0
    ('', True)
    """
    found = Repository.find(Path(folder))
    if found is None:
        return BinderReport("", (_say_no_repository(Path(folder)),), ())
    missing = [*find_unpublished(found), *find_missing_files(found)]
    return BinderReport(write_link(found), tuple(missing), tuple(find_advice(found)))


def write_link(repository: Repository) -> str:
    """Return what lets Binder start a repository's dashboard; empty where it is published nowhere."""
    remote, branch = repository.remote, repository.published or repository.branch
    if remote is None or not branch:
        return ""
    return f"{_SERVICE}/v2/{_name_place(remote)}/{quote(branch, safe='')}?urlpath={quote(_PAGE, safe='')}"


def _name_place(remote: Remote) -> str:
    if remote.host == "github.com":
        return f"gh/{remote.path}"
    if remote.host == "gitlab.com":
        return f"gl/{quote(remote.path, safe='')}"
    return f"git/{quote(remote.address, safe='')}"


def _say_no_repository(folder: Path) -> Message:
    return Message(
        "{folder} is in no repository of git, and Binder starts from one. Run `git init`, commit, and push "
        "it to GitHub or GitLab.",
        folder=folder.absolute(),
    )


def find_unpublished(repository: Repository) -> Iterator[Message]:
    """Say what is not where Binder looks: no commit, no remote, no branch, commits that are not pushed."""
    if not repository.committed:
        yield Message("Nothing is committed yet. Run `git add` and `git commit`.")
        return
    if repository.remote is None:
        yield Message(
            "The repository is published nowhere that Binder reaches. Make an empty public one at GitHub or "
            "GitLab, then: git remote add origin ADDRESS, git push -u origin {branch}.",
            branch=repository.branch or "main",
        )
    if not repository.branch:
        yield Message("No branch is checked out. Choose the one that Binder is to start: git switch main.")
    elif repository.remote is not None and not repository.published:
        yield Message(
            "The branch {branch} is not published. Run `git push -u {remote} {branch}`.",
            branch=repository.branch,
            remote=repository.remote_name,
        )
    elif repository.remote is not None and (n := repository.count_unpushed()):
        yield Message("Commits that are not pushed: {n}. Run `git push`.", n=n)


def find_missing_files(repository: Repository) -> Iterator[Message]:
    """Say which of the files that Binder needs are not committed as they are here."""
    yield from _look_at(repository, _NOTEBOOK, _SAY_NO_NOTEBOOK)
    yield from _find_recipe_faults(repository)
    here = (repository.root / _MODEL / "bundle.json").is_file()
    if not here and f"{_MODEL}/bundle.json" not in repository.committed:
        if f"{_SAMPLE}/bundle.json" not in repository.committed:
            yield Message(
                "There is no model in {folder}. Train one there: fastclf train DIR --out model.",
                folder=repository.root / _MODEL,
            )
        return
    for name in _NEEDED:
        yield from _look_at(repository, f"{_MODEL}/{name}", _SAY_NO_FILE)
    yield from _find_model_faults(repository)


_SAY_NO_NOTEBOOK = "There is no {path}. Copy it from fastclf's repository; Binder shows it."
_SAY_NO_FILE = "{path} is missing; copy the whole folder again."


def _look_at(repository: Repository, path: str, missing: str) -> Iterator[Message]:
    """Say where a file is not committed as it is here."""
    if path not in repository.committed:
        if not (repository.root / path).is_file():
            yield Message(missing, path=path)
            return
        rule = repository.find_ignoring_rule(path)
        yield Message(
            "{path} is not committed. Run `git add {path}` and `git commit`.{rule}",
            path=path,
            rule=Message(" ({rule} keeps it out: take that line away first.)", rule=rule) if rule else "",
        )
    elif path in repository.changed:
        yield Message("{path} has changed since the last commit. Run `git commit {path}`.", path=path)


def _find_recipe_faults(repository: Repository) -> Iterator[Message]:
    """Say where Binder would not install fastclf."""
    folders = [f for f in _FOLDERS if any(path.startswith(f) for path in repository.committed)]
    if len(folders) == 2:
        yield Message("There are both binder/ and .binder/, and Binder refuses that. Remove one of them.")
        return
    folder = folders[0] if folders else ""
    found = [folder + name for name in _RECIPES if folder + name in repository.committed]
    if not found:
        yield Message(
            "Nothing says what Binder is to install. Copy the folder .binder/ from fastclf's repository, and "
            "commit it."
        )
    for path in found:
        yield from _look_at(repository, path, _SAY_NO_FILE)
    texts = [repository.ask("show", f"HEAD:{path}") for path in found]
    if found and not any(_installs_fastclf(text, repository) for text in texts):
        yield Message(
            "{path} does not install fastclf. Add a line that does, with its extra `head`.", path=found[0]
        )


def _installs_fastclf(text: str, repository: Repository) -> bool:
    lines = [line.strip().removeprefix("- ").strip() for line in text.splitlines()]
    own = 'name = "fastclf"' in repository.ask("show", "HEAD:pyproject.toml")
    return "fastclf" in text or (own and any(line.startswith(".") for line in lines))


def _find_model_faults(repository: Repository) -> Iterator[Message]:
    """Say where a model does not open, or is too large for its host."""
    try:
        ModelBundle.load(repository.root / _MODEL)
    except BundleError as e:
        yield e.message if isinstance(e.message, Message) else Message("{words}", words=str(e))
    for path, size in repository.committed.items():
        if size > _MOST_FILE:
            yield Message(
                "{path} has {size:.0f} MB, and GitHub refuses files of more than 100 MB. Train with a "
                "smaller --arch, or leave out what no answer needs (export.pkl, body.safetensors).",
                path=path,
                size=size / _MB,
            )


def find_advice(repository: Repository) -> Iterator[Message]:
    """Say what is worth knowing before others open the link."""
    default, published = repository.default_branch, repository.published
    if published and default and published != default:
        yield Message(
            "The link names the branch {published}; visitors of the repository see {default}.",
            published=published,
            default=default,
        )
    if repository.committed and not _has_licence(repository):
        yield Message(
            "There is no licence: others may look, and do nothing else with it. Add a file LICENSE "
            "(choosealicense.com helps)."
        )
    yield from _find_photo_advice(repository)
    yield from _find_size_advice(repository)


def _has_licence(repository: Repository) -> bool:
    names = [path.upper() for path in repository.committed if "/" not in path]
    return any(name.startswith(_LICENCES) for name in names)


def _find_photo_advice(repository: Repository) -> Iterator[Message]:
    try:
        bundle = ModelBundle.load(repository.root / _MODEL, verify=False)
    except BundleError:
        return
    if bundle.manifest.licences.photos in _UNKNOWN:
        yield Message(
            "The licence of the model's photos is not on record, and some of them are in {folder} for all "
            "to see. Make sure that you may show them, or remove that folder; a recipe's photo_licence "
            "records it.",
            folder=f"{_MODEL}/examples",
        )


def _find_size_advice(repository: Repository) -> Iterator[Message]:
    """Say what makes the first start slow or uncertain."""
    if (total := sum(repository.committed.values())) > _MUCH:
        yield Message(
            "The repository's files have {size:.0f} MB, all of which Binder copies before the first start.",
            size=total / _MB,
        )
    for name in _NEEDED[1:]:
        if repository.lies_in_lfs(f"{_MODEL}/{name}"):
            yield Message(
                "{path} lies in Git LFS: Binder fetches it only as long as your account's traffic lasts. "
                "Plain git takes files of up to 100 MB.",
                path=f"{_MODEL}/{name}",
            )
    folders = any(path.startswith(_FOLDERS) for path in repository.committed)
    if not folders and "environment.yml" in repository.committed:
        yield Message(
            "Binder installs all of environment.yml, which takes long. fastclf's repository has a folder "
            ".binder/ that installs what serves a model, without torch; a copy of it is enough."
        )
