"""A page without a server, made of a toy model, and hosts of files that count what they are asked for."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fastclf import ModelBundle
from fastclf.backbone import Backbone
from fastclf.dashboard.site import build_site, build_teach_site

from ..toy import add_maps, write_toy_bundle


def make_site(folder: Path) -> list[str]:
    """Make a model, its page as a folder, and as one file; return their paths."""
    model = add_maps(write_toy_bundle(folder / "model", judged=True), 32, 8)
    bundle = ModelBundle.load(model)
    site = build_site(bundle, folder / "under" / "a path" / "site", precision="float32")
    one = build_site(bundle, folder / "one.html", precision="float32", single_file=True)
    return [str(model), str(site.page), str(one.page)]


def make_teach_site(folder: Path) -> list[str]:
    """Make a page for teaching, as a folder and as one file, whose network sees mean colours; return their paths."""
    model = add_maps(write_toy_bundle(folder / "model", judged=True), 32, 8)
    body = Backbone.of_model(ModelBundle.load(model))
    site = build_teach_site(body, folder / "under" / "a path" / "site", precision="float32")
    one = build_teach_site(body, folder / "one.html", precision="float32", single_file=True)
    return [str(model), str(site.page), str(one.page)]


@dataclass
class Host:
    """A host of files, and all that it was asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def hosting(folder: Path, pause: float = 0) -> Iterator[Host]:
    """Serve a folder from this machine until the end of the block, each file after a pause in seconds."""
    host = Host("")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            host.asked.append(self.requestline)

        def do_GET(self) -> None:
            time.sleep(pause)
            super().do_GET()

        def do_POST(self) -> None:
            self.send_error(405)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


def read_block(file: Path) -> bytes:
    [text] = re.findall(r'"([^"]*)"\);\s*$', file.read_text())
    return base64.b64decode(text)


def write_block(parts: Path, name: str, block: bytes) -> None:
    """Put other data into a part, and its hash wherever the page looks for one: a forger can do that, too."""
    old = hashlib.sha256(read_block(parts / f"{name}.js")).hexdigest()
    text = base64.b64encode(block).decode()
    (parts / f"{name}.js").write_text(f'fastclfTake("{name}",0,1,"{text}");\n')
    new = hashlib.sha256(block).hexdigest()
    site = parts / "site.js"
    if name != "head":
        change_head(parts, lambda values: values["header"]["parts"][name].update(sha256=new))
    elif site.exists():
        site.write_text(site.read_text("utf-8").replace(old, new), "utf-8")


def change_head(parts: Path, change: Callable[[dict[str, Any]], object], more: bytes = b"") -> None:
    """Change what the head says, and let more bytes follow."""
    whole = gzip.decompress(read_block(parts / "head.js"))
    end = 4 + int.from_bytes(whole[:4], "little")
    values = json.loads(whole[4:end])
    change(values)
    text = json.dumps(values).encode()
    write_block(parts, "head", gzip.compress(len(text).to_bytes(4, "little") + text + whole[end:] + more))
