"""The maker's table of splits or groups: read, and fitted to the photos; what fits nothing is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import Message, UsageError, count_message
from ..photos import TRAIN, VALID, PhotoSet, read_split_name
from ..system import FILE_COLUMNS, MOST_TABLE_BYTES, Table, read_given_file, read_table, unify_name
from .given_splits import GivenSplits

# What people call the column of splits; fastai's own says whether a photo is for validation.
_SPLIT_COLUMNS = ("split", "set", "subset", "dataset", "partition", "phase", "is_valid")
_IS_VALID = {
    "true": VALID, "1": VALID, "yes": VALID, "1.0": VALID,
    "false": TRAIN, "0": TRAIN, "no": TRAIN, "0.0": TRAIN,
}  # fmt: skip
_MOST_COLUMNS = 120


def read_given(
    photos: PhotoSet, split_by: str | Path | None, more: Iterable[str]
) -> tuple[GivenSplits | None, tuple[Message, ...]]:
    """Return what the maker says about splits: nothing, by folder, or in a table; and what to say of that.

    `more` are names of files that are not trained on, which a table may name all the same.
    """
    if split_by is None:
        return None, ()
    if split_by == "folder":
        return GivenSplits(by_folder=True), ()
    table = Path(split_by)
    names = {p.name for p in photos.photos}
    read = read_given_splits(table)
    given, lost = fit_given_splits(read, photos.folder, [*names, *more], table.parent)
    told = {*given.splits, *given.groups}
    if not {unify_name(name) for name in names} & told:
        raise UsageError(
            "The table of splits {split_by} names no photo of {folder}{first}. Paths are relative to that "
            "folder, like {example}.",
            split_by=split_by,
            folder=photos.folder,
            first=Message("; its first is {name}", name=lost[0]) if lost else "",
            example=next(iter(sorted(names)), "class/photo.jpg"),
        )
    return given, tuple(_describe_table(table, told, lost, names))


def _describe_table(table: Path, told: set[str], lost: Sequence[str], names: set[str]) -> Iterator[Message]:
    """Say which rows name no photo, and which photos no row."""
    if lost:
        yield count_message(
            len(lost),
            "1 of the {all} paths in {table} names no photo here: {name}.",
            "{n} of the {all} paths in {table} name no photo here, for example {name}.",
            all=len(told),
            table=table.name,
            name=lost[0],
        )
    untold = sorted(name for name in names if unify_name(name) not in told)
    if untold:
        yield count_message(
            len(untold),
            "1 photo stands in no row of {table}: {name}; its split is drawn.",
            "{n} photos stand in no row of {table}, for example {name}; they are split by drawing.",
            table=table.name,
            name=untold[0],
        )


def read_given_splits(path: Path) -> GivenSplits:
    """Read a table of splits or groups, with the columns ``path`` and ``split`` or ``group``.

    Other usual names of the first two are known as well: ``fname`` and fastai's ``is_valid`` for example.

    Raises
    ------
    UsageError
        If it is no table, a column is missing, a value is none of train, valid and test, or two rows
        contradict each other.
    """
    try:
        table = read_table(
            read_given_file(path, MOST_TABLE_BYTES), str(path), (*FILE_COLUMNS, *_SPLIT_COLUMNS, "group")
        )
    except OSError as e:
        raise UsageError(
            "The table of splits {path} cannot be read ({reason}).", path=path, reason=e.strerror or e
        ) from None
    file, split = (
        next((name for name in usual if name in table.columns), "")
        for usual in (FILE_COLUMNS, _SPLIT_COLUMNS)
    )
    if not file or not (split or "group" in table.columns):
        raise UsageError(
            "The table of splits {path} needs a column `path` (relative to the photos' folder) and a column "
            "`split` (train, valid, test) or `group`; it has {columns}.",
            path=path,
            columns=", ".join(table.columns)[:_MOST_COLUMNS] or "none",
        )
    return _read_rows(table, path, file, split)


def _read_rows(table: Table, path: Path, file: str, split: str) -> GivenSplits:
    """Return what the rows say; two that contradict each other are refused."""
    splits, groups = dict[str, str](), dict[str, str]()
    for line, row in table.rows:
        name = tidy_path(row[file])
        for known, value in ((groups, _read_group(row)), (splits, _read_split(row, path, split))):
            if not value:
                continue
            if known.setdefault(name, value) != value:
                raise UsageError(
                    "{path}, line {line:d}: {name} is in {value}, and an earlier line says {known}. Correct "
                    "one of the two.",
                    path=path, line=line, name=name or "a row without a path", value=value, known=known[name],
                )  # fmt: skip
    if not splits and not groups:
        raise UsageError(
            "The table of splits {path} has no row with a path and a split or group. Write one a photo.",
            path=path,
        )
    return GivenSplits(splits, groups)


def tidy_path(text: str) -> str:
    r"""Return a path of a table as it is compared: with ``/``, without ``./``, in one spelling.

    Examples
    --------
    >>> tidy_path(".\\cat\\1.jpg"), tidy_path("./cat//1.jpg")
    ('cat/1.jpg', 'cat/1.jpg')
    """
    parts = unify_name(text).replace("\\", "/").split("/")
    root = "/" if text.startswith(("/", "\\")) else ""
    return root + "/".join(part for part in parts if part not in ("", "."))


def fit_given_splits(
    given: GivenSplits, folder: Path, names: Collection[str], beside: Path
) -> tuple[GivenSplits, tuple[str, ...]]:
    """Let what a table names stand under the photos' own names; returns also the rows that name no photo.

    Parameters
    ----------
    given
        What a table says.
    folder
        The photos' folder: a path may be a whole one, or begin with the folder's name.
    names
        Names of the photos, relative to the folder.
    beside
        The table's folder, from which paths may start, too.
    """
    known = {unify_name(name) for name in names}
    starts = tuple(dict.fromkeys(f"{tidy_path(str(path))}/" for path in _list_starts(folder, beside)))

    def fit(name: str) -> str:
        shorter = (name.removeprefix(start) for start in starts if name.startswith(start))
        return next((one for one in (name, name.strip(), *shorter) if one in known), name)

    splits = {fit(name): split for name, split in given.splits.items()}
    groups = {fit(name): group for name, group in given.groups.items()}
    lost = tuple(sorted({*splits, *groups} - known))
    return GivenSplits(splits, groups, given.by_folder), lost


def _list_starts(folder: Path, beside: Path) -> Iterator[Path]:
    whole = folder.absolute()
    yield from (whole, folder.resolve(), folder, Path(whole.name))
    for above in (Path.cwd(), beside.absolute()):
        if whole.is_relative_to(above) and whole != above:
            yield whole.relative_to(above)


def _read_group(row: Mapping[str, str]) -> str:
    return row.get("group", "").strip()


def _read_split(row: Mapping[str, str], path: Path, column: str) -> str:
    value = row.get(column, "").strip()
    split = _IS_VALID.get(value.lower(), "") if column == "is_valid" else read_split_name(value)
    if value and not split:
        raise UsageError(
            "The table of splits {path} holds the split {value!r}; it can be train, valid or test.",
            path=path,
            value=value,
        )
    return split
