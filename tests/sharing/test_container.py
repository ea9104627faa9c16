"""The folder that a server starts from: what is in it, whether its tools would take it, and that its commands run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest
import yaml

from fastclf.errors import ServingError, UsageError
from fastclf.sharing import write_container

from ..browser.proxies import pick_port
from ..browser.servers import stop
from ..conftest import call_fastclf
from .dockerfile import find_faults, read_dockerfile

FILES = {
    "Dockerfile", ".dockerignore", "compose.yaml", "fastclf.service", "Caddyfile", "nginx.conf", "README.md",
}  # fmt: skip


@pytest.mark.slow
def test_a_model_inside_is_copied_without_what_only_training_needs(toy_model: Path, tmp_path: Path) -> None:
    (toy_model / "export.pkl").write_bytes(b"x")
    made = write_container(tmp_path / "server", toy_model, domain="Bears.Example.org", base_url="bears")
    assert made.url == "https://bears.example.org/bears/"
    wheel = [name for name in made.files if name.endswith(".whl")]
    assert set(made.files) == {*FILES, *wheel, "model"} == {p.name for p in made.path.iterdir()}
    inside = {p.name for p in (made.path / "model").iterdir()}
    assert {"bundle.json", "model.onnx", "head.npz", "ood.npz", "examples"} <= inside
    assert not {"export.pkl", "photos.csv", "body.safetensors"} & inside
    assert find_faults(made.path / "Dockerfile") == []
    assert "COPY model /srv/model" in (made.path / "Dockerfile").read_text()
    compose = yaml.safe_load((made.path / "compose.yaml").read_text())
    service = compose["services"]["fastclf"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["environment"]["FASTCLF_HOSTS"] == "bears.example.org"
    assert service["volumes"] == ["inbox:/data"]
    for name in ("Dockerfile", "fastclf.service", "Caddyfile", "nginx.conf"):
        assert "/bears/" in (made.path / name).read_text()


@pytest.mark.slow
def test_a_model_outside_is_mounted_and_no_model_is_touched(tmp_path: Path) -> None:
    made = write_container(tmp_path / "server")
    assert find_faults(made.path / "Dockerfile") == []
    assert "COPY model" not in (made.path / "Dockerfile").read_text()
    compose = yaml.safe_load((made.path / "compose.yaml").read_text())
    assert compose["services"]["fastclf"]["volumes"] == ["inbox:/data", "./model:/srv/model:ro"]
    assert "--base-url" not in (made.path / "Dockerfile").read_text()
    # a second call renews what it wrote, and leaves the model that somebody put there
    (made.path / "model").mkdir()
    (made.path / "model" / "bundle.json").write_text("{}")
    write_container(tmp_path / "server", domain="bears.example.org")
    assert "bears.example.org {" in (made.path / "Caddyfile").read_text()
    assert (made.path / "model" / "bundle.json").read_text() == "{}"


def test_a_proxy_is_told_to_pass_what_a_live_connection_needs(tmp_path: Path) -> None:
    lines = (write_container(tmp_path / "server").path / "nginx.conf").read_text()
    for name, value in (
        ("Host", "$http_host"),
        ("Upgrade", "$http_upgrade"),
        ("Connection", "$fastclf_connection"),
    ):
        assert f"proxy_set_header {name} {value};" in lines


def test_what_cannot_be_right_is_refused_and_nothing_is_written(toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="write the path alone"):
        write_container(tmp_path / "server", toy_model, base_url="https://x.org/a")
    for domain in ("https://bears.example.org", "bears.org {\n}", "a b", "", "x;y"):
        with pytest.raises(UsageError, match="write a server's name"):
            write_container(tmp_path / "server", toy_model, domain=domain)
    assert not (tmp_path / "server").exists()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match=r"holds other things than a server's files \(a.jpg\)"):
        write_container(tmp_path / "photos", toy_model)
    with pytest.raises(UsageError, match="holds other things"):
        write_container(toy_model, toy_model)


def test_the_check_of_dockerfiles_finds_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text('FROM python\nADD x /x\nCOPY y /y\nRUN pip install z\nCMD ["x"]\n')
    assert len(find_faults(file)) == 6


@pytest.mark.slow
def test_the_command_says_what_to_do_next(toy_model: Path, tmp_path: Path) -> None:
    done = call_fastclf("share", "--container", "server", "--model", toy_model, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "docker compose up -d; the page is then at https://photos.example.org/" in done.stderr
    told = call_fastclf("share", "--container", "other", "--domain", "b.org", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["url"] == "https://b.org/"
    assert "cp -r model other/model" in call_fastclf("share", "--container", "other", cwd=tmp_path).stderr


@pytest.mark.slow
def test_systemd_takes_the_service(toy_model: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not on this machine")
    made = write_container(tmp_path / "server", toy_model)
    text = (made.path / "fastclf.service").read_text()
    assert text.count("/opt/fastclf/bin/fastclf ") == 1
    file = tmp_path / "fastclf.service"
    file.write_text(text.replace("/opt/fastclf/bin/fastclf ", f"{sys.executable} "))
    done = subprocess.run(
        ["systemd-analyze", "verify", file], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_wheel_is_what_pip_installs_and_lists_each_of_its_files(tmp_path: Path) -> None:
    made = write_container(tmp_path / "server")
    [wheel] = made.path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        [record] = [name for name in names if name.endswith("/RECORD")]
        listed = [line.rsplit(",", 2)[0] for line in archive.read(record).decode().splitlines()]
    assert listed == names
    assert any(name.endswith("voila/templates/fastclf/static/client.js") for name in names)
    assert {"fastclf/notebooks/dashboard.ipynb", "fastclf/dashboard/texts.json"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.slow
def test_the_commands_of_the_dockerfile_start_a_server_that_is_healthy(
    toy_model: Path, tmp_path: Path
) -> None:
    """What is installed beside the wheel is this environment's; an empty one needs a network."""
    made = write_container(tmp_path / "server", toy_model, base_url="/bears/")
    steps = dict(read_dockerfile(made.path / "Dockerfile"))
    [wheel] = made.path.glob("*.whl")
    target = tmp_path / "installed"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        target,
        wheel,
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    port = pick_port()
    words = [word.replace("/srv/model", str(made.path / "model")) for word in json.loads(steps["CMD"])]
    assert words[:2] == ["fastclf", "serve"]
    words[words.index("0.0.0.0")] = "127.0.0.1"
    env = {**os.environ, "PYTHONPATH": str(target), "JUPYTER_PATH": str(target / "share" / "jupyter")}
    command = [sys.executable, "-m", *words, f"--port={port}"]
    with (tmp_path / "log").open("wb") as log:
        server = psutil.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        probe = json.loads(re.sub(r".*CMD ", "", steps["HEALTHCHECK"]))
        probe = [sys.executable, *(word.replace("8866", str(port)) for word in probe[1:])]
        assert "/bears/" in probe[-1]
        deadline = time.monotonic() + 60
        while subprocess.run(probe, capture_output=True, check=False, timeout=30).returncode:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.3)
    finally:
        stop(server)
