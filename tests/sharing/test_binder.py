"""What a repository lacks before Binder can start its dashboard, each told in a sentence of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fastclf.errors import UsageError
from fastclf.sharing import BinderReport, check_binder
from fastclf.sharing.repository import Remote

from ..conftest import call_fastclf
from .repositories import build_repository, git, push

LINK = "https://mybinder.org/v2/gh/ann/bears/main?urlpath=voila%2Frender%2Fdashboard.ipynb"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_repository(tmp_path_factory.mktemp("whole") / "bears")


@pytest.fixture
def repo(whole: Path, tmp_path: Path) -> Path:
    """A copy of a repository that lacks nothing, and of its host."""
    for name in ("bears", "bears.git"):
        shutil.copytree(whole.parent / name, tmp_path / name, symlinks=True)
    # git would take each copied file for a changed one until it has looked
    git(tmp_path / "bears", "status")
    return tmp_path / "bears"


def test_a_repository_that_lacks_nothing_gets_a_link_a_badge_and_a_code(repo: Path) -> None:
    report = check_binder(repo)
    assert report.missing == ()
    assert report.is_ready
    assert report.link == LINK
    assert report.badge == f"[![Binder](https://mybinder.org/badge_logo.svg)]({LINK})"
    # from a folder inside, too; and nobody's password leaves git's settings
    assert check_binder(repo / "model") == report
    assert "secret" not in json.dumps(report.to_dict())


@pytest.mark.parametrize(
    ("address", "remote", "place"),
    [
        ("git@github.com:ann/bears.git", Remote("github.com", "ann/bears"), "gh/ann/bears"),
        ("https://github.com/ann/bears/", Remote("github.com", "ann/bears"), "gh/ann/bears"),
        ("ssh://git@gitlab.com:22/zoo/ann/bears.git", Remote("gitlab.com", "zoo/ann/bears"), "gl/zoo%2Fann%2Fbears"),
        ("https://ann:secret@codeberg.org/ann/bears", Remote("codeberg.org", "ann/bears"),
         "git/https%3A%2F%2Fcodeberg.org%2Fann%2Fbears"),
    ],
)  # fmt: skip
def test_any_host_of_git_has_its_link(repo: Path, address: str, remote: Remote, place: str) -> None:
    assert Remote.parse(address) == remote
    git(repo, "remote", "set-url", "origin", address)
    assert check_binder(repo).link == LINK.replace("gh/ann/bears", place)


@pytest.mark.parametrize(
    "address", ["/home/ann/bears", "../bears.git", "file:///srv/bears.git", "C:/bears", ""]
)
def test_a_folder_of_this_machine_is_no_host(address: str) -> None:
    assert Remote.parse(address) is None


def change_notebook(repo: Path) -> None:
    (repo / "dashboard.ipynb").write_text("{}")


def forget_model(repo: Path) -> None:
    (repo / ".gitignore").write_text("# own\n/model/\n")
    git(repo, "rm", "-rq", "--cached", "model")
    git(repo, "add", ".gitignore")
    git(repo, "commit", "-qm", "No model")
    push(repo, "main")


def point_to_lfs(repo: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    (repo / "model" / "model.onnx").write_text(pointer)
    git(repo, "commit", "-qam", "A pointer")
    push(repo, "main")


def commit(repo: Path, name: str, text: str = "x") -> None:
    (repo / name).parent.mkdir(exist_ok=True)
    (repo / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "More")


def leave_out(repo: Path, name: str) -> None:
    git(repo, "rm", "-rq", name)
    git(repo, "commit", "-qm", "Less")
    push(repo, "main")


FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (lambda repo: git(repo, "remote", "remove", "origin"), "is published nowhere that Binder reaches"),
    (lambda repo: git(repo, "switch", "-qc", "try/it"), "The branch try/it is not published. Run `git push -u"),
    (lambda repo: git(repo, "switch", "-q", "--detach"), "No branch is checked out"),
    (lambda repo: commit(repo, "more.txt"), "Commits that are not pushed: 1. Run `git push`"),
    (change_notebook, "dashboard.ipynb has changed since the last commit"),
    (lambda repo: leave_out(repo, "dashboard.ipynb"), "There is no dashboard.ipynb"),
    (forget_model, "model/model.onnx is not committed. Run `git add model/model.onnx` and `git commit`. "
     "(.gitignore:2 keeps it out: take that line away first.)"),
    (point_to_lfs, "Git LFS pointer"),
    (lambda repo: leave_out(repo, "model"), "There is no model in"),
    (lambda repo: leave_out(repo, ".binder"), "Nothing says what Binder is to install"),
    (lambda repo: (commit(repo, ".binder/requirements.txt", "voila\n"), push(repo, "main")),
     ".binder/requirements.txt does not install fastclf"),
    (lambda repo: (commit(repo, "binder/requirements.txt"), push(repo, "main")), "both binder/ and .binder/"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), FAULTS, ids=[words[:40] for _, words in FAULTS])
def test_what_is_missing_is_told(repo: Path, spoil: Callable[[Path], object], words: str) -> None:
    spoil(repo)
    report = check_binder(repo)
    assert not report.is_ready
    told = [sentence for sentence in report.missing if words in sentence]
    assert len(told) == 1, report.missing


def test_no_repository_and_no_commit_are_told(tmp_path: Path) -> None:
    assert "is in no repository of git" in check_binder(tmp_path).missing[0]
    git(tmp_path, "init", "-q", "-b", "main")
    report = check_binder(tmp_path)
    assert "Nothing is committed yet" in report.missing[0]
    assert report.link == report.badge == ""


def test_without_git_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs git, which is not installed"):
        check_binder(tmp_path)


@pytest.mark.slow
def test_a_file_that_a_host_refuses_is_told(repo: Path) -> None:
    (repo / "model" / "export.pkl").write_bytes(bytes(101 * 2**20))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Large")
    assert any("model/export.pkl has 101 MB" in sentence for sentence in check_binder(repo).missing)


def advise(repo: Path) -> str:
    report: BinderReport = check_binder(repo)
    assert report.is_ready, report.missing
    return "\n".join(report.advice)


def test_advice_names_licences_the_branch_and_lfs(repo: Path) -> None:
    # the toy model says nothing of its photos
    assert "The licence of the model's photos is not on record" in advise(repo)
    assert "There is no licence" not in advise(repo)
    git(repo, "rm", "-q", "LICENSE")
    commit(repo, ".gitattributes", "model/*.onnx filter=lfs\n")
    git(repo, "switch", "-qc", "try/it")
    push(repo, "try/it")
    words = advise(repo)
    assert "There is no licence: others may look" in words
    assert "model/model.onnx lies in Git LFS" in words
    assert "names the branch try/it; visitors of the repository see main" in words
    assert check_binder(repo).link == LINK.replace("main", "try%2Fit")


def test_the_full_environment_is_told_as_slow(repo: Path) -> None:
    git(repo, "rm", "-rq", ".binder")
    commit(repo, "environment.yml", "dependencies:\n  - pip:\n    - fastclf[all]\n")
    push(repo, "main")
    assert "Binder installs all of environment.yml" in advise(repo)


def test_a_sample_stands_in_for_a_model_and_the_repository_installs_itself(tmp_path: Path) -> None:
    repo = build_repository(tmp_path / "bears", model=False)
    commit(repo, ".binder/model/bundle.json", "{}")
    commit(repo, "pyproject.toml", '[project]\nname = "fastclf"\n')
    commit(repo, ".binder/requirements.txt", ".[head]\n")
    push(repo, "main")
    assert check_binder(repo).missing == ()


def test_the_command_prints_link_code_and_badge_and_ends_with_what_was_found(
    repo: Path, tmp_path: Path
) -> None:
    done = call_fastclf("share", repo, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == LINK
    assert lines[-1] == f"[![Binder](https://mybinder.org/badge_logo.svg)]({LINK})"
    assert sum("▀" in line or "▄" in line for line in lines) > 15
    told = call_fastclf("share", "--json", "--qr", "code.svg", cwd=repo)
    found = json.loads(told.stdout)
    assert (found["ready"], found["link"], found["qr"]) == (True, LINK, "code.svg")
    assert (repo / "code.svg").read_text().startswith("<?xml")
    commit(repo, "more.txt")
    done = call_fastclf("share", cwd=repo)
    assert done.returncode == 1
    assert "Binder cannot start this dashboard yet:\n- Commits that are not pushed: 1." in done.stderr
    assert done.stdout.startswith(LINK)


def test_nothing_in_the_repository_is_changed(repo: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in repo.rglob("*")}
    call_fastclf("share", cwd=repo)
    assert {path: path.stat().st_mtime_ns for path in repo.rglob("*")} == before


def test_a_place_that_is_no_folder_is_a_sentence(tmp_path: Path) -> None:
    done = call_fastclf("share", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "There is no folder nowhere" in done.stderr


def test_a_remote_of_another_name_is_found(repo: Path) -> None:
    git(repo, "remote", "rename", "origin", "ours")
    report = check_binder(repo)
    assert (report.link, report.missing) == (LINK, ())
