"""Examples of every command, at the end of its help."""

from __future__ import annotations

EXAMPLES = {
    "demo": ("fastclf demo", "fastclf demo --port 8867"),
    "recipes": ("fastclf recipes",),
    "recipes new": ("fastclf recipes new mugs.toml",),
    "collect": ("fastclf collect bears", "fastclf collect mugs.toml --max 200 --no-check"),
    "check": (
        "fastclf check photos/bears",
        "fastclf check photos/bears --html report.html --model model",
    ),
    "train": (
        "fastclf train photos/bears",
        "fastclf train photos/bears --mode fine-tune --epochs 8 --time-limit 30m",
        "fastclf train photos/bears --from model --out model-2",
    ),
    "evaluate": (
        "fastclf evaluate model photos/bears",
        "fastclf evaluate model photos/bears --foreign photos/other --json",
    ),
    "predict": (
        "fastclf predict model a.jpg b.jpg",
        "fastclf predict model photos/new 'more/*.jpg' --csv",
        "fastclf predict model photos.zip --json",
    ),
    "score": (
        "fastclf score model photos/new scores",
        "fastclf score model s3://bucket/photos scores --shard 3/16",
        "fastclf score model photos.csv scores --root /data --dask tcp://scheduler:8786",
    ),
    "drift": (
        "fastclf drift model photos/november",
        "fastclf drift model photos/november --trained-on photos/bears --html drift.html",
    ),
    "edits": ("fastclf edits export photos/bears edits.csv",),
    "edits export": (
        "fastclf edits export photos/bears edits.csv",
        "fastclf edits export photos/bears - --log",
        "fastclf edits export photos/bears tasks.json --to label-studio",
    ),
    "edits import": (
        "fastclf edits import other/bears edits.csv",
        "fastclf edits import photos/bears annotations.xml",
    ),
    "edits merge": ('fastclf edits merge photos/bears "Teddy " teddy',),
    "edits undo": ("fastclf edits undo photos/bears",),
    "suggest": (
        "fastclf suggest photos/bears",
        "fastclf suggest photos/bears --new camera --n 20 --json",
    ),
    "materialize": ("fastclf materialize photos/bears clean/bears",),
    "import": (
        "fastclf import project.zip --photos photos/mugs",
        "fastclf import project.tm",
        "fastclf import export.pkl --trust-pickle --class-names dog,cat --photos photos/pets",
    ),
    "export-pkl": ("fastclf export-pkl model",),
    "verify": ("fastclf verify model", "fastclf verify model --json"),
    "serve": (
        "fastclf serve model",
        "fastclf serve model --photos photos/bears --owner",
        "fastclf serve model --host 0.0.0.0 --port 80 --api --api-token-file token.txt",
    ),
    "password": ("fastclf password visitors.txt", "fastclf serve --password-file visitors.txt"),
    "inbox": ("fastclf inbox list",),
    "inbox list": ("fastclf inbox list", "fastclf inbox list --inbox photos/.fastclf/inbox.sqlite --json"),
    "inbox add": ("fastclf inbox add model report.zip", "fastclf inbox add photos/bears mail/*.zip"),
    "inbox erase": (
        "fastclf inbox erase 12 13",
        "fastclf inbox erase --older-than 30",
        "fastclf inbox erase --all --inbox photos/.fastclf/inbox.sqlite",
    ),
    "share": (
        "fastclf share --web model site",
        "fastclf share --web --teach teach-site",
        "fastclf share --container server --model model --domain bears.example.org",
    ),
    "archs": ("fastclf archs", "fastclf archs --size 160 --again"),
}


def write_examples(command: str) -> str:
    """Return what stands below a command's options: an example a paragraph."""
    examples = EXAMPLES[command]
    return "\n\n".join(["Example:" if len(examples) == 1 else "Examples:", *examples])
