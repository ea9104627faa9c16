"""Models, projects, reports and repositories of a page's reader."""

from __future__ import annotations

import shutil
from pathlib import Path

from fastclf.inbox import Claim, build_report_zip

from ...conftest import ROOT
from ...drawing import draw_photo, draw_photos, encode
from ...received.taught import write_project, write_zip
from ...sharing.repositories import git
from ...toy import write_toy_bundle


def photos_of_colours(folder: Path) -> None:
    """`photos/colours` with twenty photos of red, green and blue each."""
    draw_photos(folder / "photos" / "colours", per_class=20, size=(160, 120))


def model_of_colours(folder: Path) -> None:
    """`model`, which tells red, green and blue photos apart, and the photos `a.jpg` and `b.jpg`."""
    write_toy_bundle(folder / "model", judged=True)
    for name, label in (("a", "red"), ("b", "blue")):
        draw_photo(label, 50, (160, 120)).save(folder / f"{name}.jpg")


def repository_of_colours(folder: Path) -> dict[str, str]:
    """A clone of a repository at GitHub with what Binder needs, and a model that its .gitignore keeps out.

    What is pushed goes into a bare repository within the clone's own `.git`.
    """
    git(folder, "init", "-q", "-b", "main")
    shutil.copy(ROOT / "dashboard.ipynb", folder)
    (folder / ".binder").mkdir()
    (folder / ".binder" / "requirements.txt").write_text("fastclf[head]\n")
    (folder / ".gitignore").write_text(".fastclf/\n/model/\n/photos/\n")
    (folder / "LICENSE").write_text("Apache-2.0\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "All")
    host = folder / ".git" / "host.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(host))
    git(folder, "remote", "add", "origin", str(host))
    git(folder, "push", "-q", "-u", "origin", "main")
    git(folder, "remote", "set-head", "origin", "main")
    git(folder, "remote", "set-url", "--push", "origin", str(host))
    git(folder, "remote", "set-url", "origin", "https://github.com/ann/colours.git")
    write_toy_bundle(folder / "model", judged=True)
    names = {"NAME": "Ann", "EMAIL": "ann@example.org"}
    return {f"GIT_{who}_{key}": value for who in ("AUTHOR", "COMMITTER") for key, value in names.items()}


def taught_project(folder: Path) -> None:
    """`project.zip`, as a page for teaching saves it: six photos of each of three classes."""
    write_project(folder / "project.zip")


def files_of_other_programs(folder: Path) -> None:
    """What people bring: a Learner of fastai's, a project of Teachable Machine, a table of labels with its photos."""
    _export_learner(draw_photos(folder / ".course", per_class=4), folder / "export.pkl")
    names = [f"{label}-!-{n}.jpg" for label in ("blue", "red") for n in range(2)]
    photos = {name: encode(draw_photo(name.split("-")[0], n), "JPEG") for n, name in enumerate(names)}
    write_zip(folder / "project.tm", {"manifest.json": b'{"type": "image"}', **photos})
    (folder / "images").mkdir()
    for name, photo in photos.items():
        (folder / "images" / name).write_bytes(photo)
    rows = "".join(f"{name},{name.split('-')[0]}\n" for name in names)
    (folder / "labels.csv").write_text(f"fname,label\n{rows}")


def _export_learner(photos: Path, file: Path) -> None:
    """Export a Learner of a tiny network, which was not trained, as the course exports one."""
    from fastai.vision import all as fv

    dls = fv.ImageDataLoaders.from_folder(
        photos, valid_pct=0.3, seed=1, bs=4, num_workers=0, item_tfms=fv.Resize(48)
    )
    fv.vision_learner(dls, "test_resnet", pretrained=False).export(file)


def sent_report(folder: Path) -> None:
    """`report.zip`, as a page without a server hands it to a visitor."""
    claim = Claim(name="my scarf.jpg", answer="blue", probability=0.8, label="green")
    (folder / "report.zip").write_bytes(build_report_zip(draw_photo("green", 70), claim))


def checkout(folder: Path) -> None:
    """What a new language changes or is tested by, of a checkout of fastclf."""
    left_out = shutil.ignore_patterns("__pycache__", "static", "node_modules")
    for name in ("fastclf", "page", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for name in ("pyproject.toml", "hatch_build.py"):
        shutil.copy(ROOT / name, folder)
