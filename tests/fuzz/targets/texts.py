"""Texts that people write or send: recipes, files of edits, tables of splits and of labels."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastclf.catalog import (
    Store,
    export_edits,
    import_edits,
    import_labels,
    parse_edits,
    read_given_splits,
)
from fastclf.catalog.split_table import fit_given_splits
from fastclf.collect import list_recipes, load_recipe
from fastclf.collect.label_table import read_labels
from fastclf.collect.recipes import recipe as recipes

from ..target import Target, make_folder

_PHOTOS = ("red/0.jpg", "red/1.jpg", "green/0.jpg", "blue/0.jpg")


@cache
def folder() -> Path:
    return make_folder()


def take_recipe(data: bytes) -> None:
    file = folder() / "mine.toml"
    file.write_bytes(data)
    recipe = load_recipe(file)
    assert recipe.name
    for source in (recipe.archive, recipe.folder):
        if source:
            for name in _PHOTOS:
                source.rule.find_label(name)


def list_recipe_seeds() -> list[bytes]:
    ours = [(recipes._FOLDER / f"{name}.toml").read_bytes() for name in (*list_recipes(), "_template")]
    return [
        *ours,
        b'name="x"\ntitle="y"\n[folder]\npath="a"\nlabel={by="pattern",pattern="^(.+)_",names={a="b"}}\n'
        b'[train]\nlr=1e-3\nsplit_by="~x/y"\n',
        b'name="x"\ntitle="y"\n[classes]\na={search=["b"],photos=3}\nb="c"\n[collect]\nvariations=["{}"]\n',
        'name="x"\ntitle="y"\nsample="digits"\n[es]\ntitle="z"\nclasses={"0"="cero"}\n'.encode("utf-16"),
        b'name="x"\ntitle="y"\n[archive]\nurl="https://x/y.zip"\nlabel={table="labels.csv"}\n',
    ]


def take_edits(data: bytes) -> None:
    parse_edits(data)
    store = _make_store()
    try:
        import_edits(store, data, "ann")
        export_edits(store)
        export_edits(store, log=True)
    finally:
        store.close()


def _make_store() -> Store:
    """A catalog in memory with four photos."""
    store = Store(Path(":memory:"))
    with store.transaction():
        store.write_many(
            "INSERT INTO photos (path, sha256, size, mtime_ns, folder_label, given_split, label, added)"
            " VALUES (?, ?, 1, 1, ?, '', ?, '')",
            [(path, f"{n:064x}", path[:3], path.split("/")[0]) for n, path in enumerate(_PHOTOS)],
        )
    return store


def list_edit_seeds() -> list[bytes]:
    head = "sha256,path,action,from,to,why,who,time\n"
    rows = (
        f"{0:064x},red/0.jpg,relabel,red,blue,hump,ann,2026-01-01T00:00:00+00:00\n"
        f'{1:064x},red/1.jpg,remove,red,,,bob,\n{2:064x},green\\0.jpg,relabel,green,"a, ""b""",,,\n'
    )
    return [
        (head + rows).encode(),
        (head + rows).replace(",", ";").encode("utf-16"),
        (head + f"{1:064x},red/1.jpg,restore,red,red,,,\n").encode(),
    ]


def take_labels(data: bytes) -> None:
    store = _make_store()
    try:
        import_labels(store, data, "ann")
    finally:
        store.close()


def list_label_seeds() -> list[bytes]:
    """Return what Label Studio, CVAT, Datumaro and people write."""
    return [
        b'<annotations><image id="0" name="red/0.jpg"><tag label="blue"/><box/></image></annotations>',
        b'[{"data":{"image":"/data/local-files/?d=red%2F0.jpg"},"annotations":[{"was_cancelled":false,'
        b'"result":[{"type":"choices","value":{"choices":["blue"]}}]}]}]',
        b'[{"image":"red/0.jpg","id":1,"choice":{"choices":["a","b"]}}]',
        b'{"categories":{"label":{"labels":[{"name":"red"}]}},"items":[{"id":"red/0","annotations":'
        b'[{"type":"label","label_id":0}],"image":{"path":"red/0.jpg"}}]}',
        b"path,label,sha256\nred/0.jpg,blue,\n0.jpg,Red,\n",
    ]


def take_table(data: bytes) -> None:
    file = folder() / "table.csv"
    file.write_bytes(data)
    try:
        given = read_given_splits(file)
        fit_given_splits(given, folder() / "photos", _PHOTOS, folder())
    finally:
        read_labels(file)


def list_table_seeds() -> list[bytes]:
    return [
        b"path,split\nred/0.jpg,train\ngreen/0.jpg,test\n./blue\\0.jpg,valid\n",
        b"sep=;\nfname;is_valid\nred/0.jpg;True\nred/1.jpg;0\n",
        "file\tgroup\nphotos/red/0.jpg\tcamera ä\n".encode("cp1252"),
        "image,label\nred/0.jpg,red\n".encode("utf-16"),
        b'id,target,set\n"red/0.jpg","re""d",val\n',
    ]


_CELLS = (b",", b"\n", b'"', b"\r", b"\0", b"../..", b"relabel", b"=cmd", b"\xff\xfe", b"x" * 200, b";", b"\t", b"|",
          b"sep=", b"\xef\xbb\xbf")  # fmt: skip
TARGETS = [
    Target(
        "recipe",
        take_recipe,
        list_recipe_seeds,
        (b"[", b"]", b"=", b"\n", b'"', b"{", b"}", b"nan", b"inf", b"9" * 400, b"1e999", b"true", b"[[a]]",
         b"2020-01-01", b"'''", b"\\u0000", b".", b"names", b"pattern", b"(?P<", b"~", b"\xed\xa0\x80", b"[" * 2000,
         b"(a+)+$", b"classes", b"archive", b"label"),
    ),
    Target("edits", take_edits, list_edit_seeds, _CELLS),
    Target(
        "labels",
        take_labels,
        list_label_seeds,
        (*_CELLS, b"<", b">", b"</image>", b"<!DOCTYPE a [", b"&lt;", b"[", b"]", b"{", b"}", b'":', b"null", b"1e999",
         b"[" * 2000, b"label_id", b"choices", b"data", b"%00"),
    ),
    Target("table", take_table, list_table_seeds, (*_CELLS, b"split", b"group", b"path", b"train")),
]  # fmt: skip
