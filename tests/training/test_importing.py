"""Learners of the course's kinds, trained and exported by fastai itself, become bundles that answer alike."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastai.vision import all as fv
from PIL import ExifTags, Image

from fastclf import ModelBundle, Predictor
from fastclf.dashboard.clean import CatalogStore
from fastclf.errors import LearnerError, PhotosError, RefitError, UsageError
from fastclf.head import refit_head
from fastclf.metrics import compute_softmax
from fastclf.photos import decode_photo
from fastclf.system import hash_file
from fastclf.training import import_learner
from fastclf.training.importing.batch_resize import find_batch_resize
from fastclf.training.importing.reading import read_vocab
from fastclf.training.network import read_preprocess, split_network

from ..conftest import Once, call_fastclf, run_fastclf
from ..drawing import draw_scene
from .exported import export, rewrite, train_briefly

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {"bs": 8, "num_workers": 0, "valid_pct": 0.3, "seed": 1}


@pytest.fixture(scope="session")
def plain(course: Path, once: Once) -> Any:
    """The simplest Learner, trained, the file that it was exported to, its bundle, and what was said."""

    def make(folder: Path) -> tuple[str, list[str]]:
        said: list[str] = []
        learn = train_briefly(build_learner(build_dls(course, fv.Resize(48))))
        run_import(export(learn, folder / "export.pkl"), folder / "model", title="Course", say=said.append)
        return str(folder), said

    folder, said = once("plain", make)
    file, bundle = Path(folder, "export.pkl"), ModelBundle.load(Path(folder, "model"))
    return types.SimpleNamespace(learn=fv.load_learner(file), file=file, bundle=bundle, said=said)


def run_import(file: Path, out: Path, **options: Any) -> ModelBundle:
    return import_learner(file, out, trust_pickle=True, **options)


def measure(learn: Any, bundle: ModelBundle, photos: Path, build: Any = Path) -> float:
    """The largest difference of probabilities on the real photos, fastai's own way and fastclf's."""
    files = sorted(p for p in photos.rglob("*") if p.is_file())[::2]
    with learn.no_bar(), learn.no_logging():
        dl = learn.dls.test_dl([build(f) for f in files], bs=5, num_workers=0)
        expected = learn.get_preds(dl=dl)[0].numpy()
    predictor = Predictor(bundle)
    logits, features = predictor.run(predictor.preprocess.batch([decode_photo(f).image for f in files]))
    weight, bias = bundle.head
    assert np.abs(features @ weight.T + bias - logits).max() < 1e-3
    assert np.ptp(expected, axis=0).max() > 0.01, "a Learner that says the same of all photos proves nothing"
    return float(np.abs(compute_softmax(logits) - expected).max())


def build_dls(photos: Path, resize: Any, **options: Any) -> Any:
    return fv.ImageDataLoaders.from_folder(photos, item_tfms=resize, **QUICK, **options)


def build_learner(dls: Any, arch: Any = "test_resnet", **options: Any) -> Any:
    return fv.vision_learner(dls, arch, pretrained=False, **options)


def is_red(name: str) -> bool:
    return name[0].isupper()


def _crop(photos: Path) -> Any:
    files = fv.get_image_files(photos)
    dls = fv.ImageDataLoaders.from_name_func(photos, files, is_red, item_tfms=fv.Resize(48), **QUICK)
    return build_learner(dls)


def _pad(photos: Path) -> Any:
    files = fv.get_image_files(photos)
    labels = [{"red": 7, "green": 3, "blue": 12}[f.parent.name] for f in files]
    resize = fv.Resize((40, 56), fv.ResizeMethod.Pad, pad_mode="zeros")
    block = {"item_tfms": resize, "batch_tfms": [fv.Normalize.from_stats(*fv.imagenet_stats)]}
    dls = fv.ImageDataLoaders.from_lists(photos, files, labels, y_block=fv.CategoryBlock, **block, **QUICK)
    loss = fv.LabelSmoothingCrossEntropyFlat()
    return build_learner(dls, loss_func=loss)


def _load(photos: Path, item_tfms: Any, batch_tfms: Any, get_y: Any = fv.parent_label) -> Any:
    block = fv.DataBlock(
        blocks=(fv.ImageBlock, fv.CategoryBlock), get_items=fv.get_image_files, get_y=get_y,
        splitter=fv.RandomSplitter(seed=42), item_tfms=item_tfms, batch_tfms=batch_tfms,
    )  # fmt: skip
    return block.dataloaders(photos, bs=8, num_workers=0)


def _bears(photos: Path) -> Any:
    dls = _load(photos, fv.RandomResizedCrop(56, min_scale=0.5), fv.aug_transforms())
    return build_learner(dls, fv.resnet18, metrics=fv.error_rate)


def _pets(photos: Path) -> Any:
    tfms = [*fv.aug_transforms(size=48, min_scale=0.75), fv.Normalize.from_stats(*fv.imagenet_stats)]
    get_y = fv.using_attr(fv.RegexLabeller(r"(.+)_\d+.(?:jpg|png)$"), "name")
    return build_learner(_load(photos, fv.Resize(100), tfms, get_y))


def _shrunk(photos: Path) -> Any:
    # fastai first averages areas where a batch shrinks to less than half
    tfms = fv.aug_transforms(size=(32, 40), max_warp=0)
    return build_learner(build_dls(photos, fv.Resize((110, 120), method="squish"), batch_tfms=tfms))


def _one_layer(photos: Path) -> Any:
    dls = fv.ImageDataLoaders.from_path_func(
        photos, fv.get_image_files(photos), fv.parent_label, item_tfms=fv.Resize(48), **QUICK
    )
    return build_learner(dls, lin_ftrs=[], concat_pool=False)


def _whole_network(photos: Path) -> Any:
    dls = build_dls(photos, fv.Resize(48))
    return fv.Learner(dls, fv.xresnet18(n_out=3), loss_func=fv.nn.CrossEntropyLoss())


COLOURS = ["blue", "green", "red"]
KINDS: dict[str, tuple[Any, list[str], tuple[Any, ...], bool]] = {
    "squish": (
        lambda photos: build_learner(build_dls(photos, fv.Resize(64, method="squish")), fv.resnet18),
        COLOURS, ((3, 64, 64), (64, 64), "squish"), False,
    ),
    "crop": (_crop, ["False", "True"], ((3, 48, 48), (48, 48), "crop"), False),
    "pad": (_pad, ["3", "7", "12"], ((3, 40, 56), (40, 56), "pad"), False),
    "bears": (_bears, COLOURS, ((3, 56, 56), (64, 64), "squish"), False),
    "pets": (_pets, ["Red", "blue", "green"], ((3, 100, 100), (100, 100), "crop"), False),
    "shrunk": (_shrunk, COLOURS, ((3, 110, 120), (110, 120), "squish"), False),
    "one layer": (_one_layer, COLOURS, ((3, 48, 48), (48, 48), "crop"), True),
    "transformer": (
        lambda photos: build_learner(build_dls(photos, fv.Resize(160)), "test_vit"),
        COLOURS, ((3, 160, 160), (160, 160), "crop"), False,
    ),
    "xresnet": (_whole_network, COLOURS, ((3, 48, 48), (48, 48), "crop"), False),
}  # fmt: skip
# What the four have in common with the others is resizing, of which two more kinds are read below.
FEW = ("pad", "pets", "one layer", "xresnet")


@pytest.mark.parametrize(
    "kind", [kind if kind in FEW else pytest.param(kind, marks=pytest.mark.thorough) for kind in KINDS]
)
def test_a_learner_of_the_course_becomes_a_bundle_that_answers_like_it(
    kind: str, course: Path, tmp_path: Path
) -> None:
    build, vocab, (input_size, resize_to, method), maps = KINDS[kind]
    learn = train_briefly(build(course))
    bundle = run_import(export(learn, tmp_path / "export.pkl"), tmp_path / "model")
    assert bundle.vocab == vocab
    preprocess = bundle.preprocess
    assert (preprocess.input_size, preprocess.resize_to, preprocess.method) == (input_size, resize_to, method)
    assert (preprocess.mean is None) == (kind not in ("pad", "pets"))
    outputs = [o.name for o in Predictor(bundle).session.get_outputs()]
    assert outputs == ["features", "logits", *(["maps"] if maps else [])]
    assert bundle.manifest.parity.photos == 12
    if kind == "xresnet":
        # fastai itself shows raw numbers with a plain CrossEntropyLoss
        learn.loss_func = fv.CrossEntropyLossFlat()
    assert bundle.manifest.parity.largest_difference <= 1e-3
    assert measure(learn, bundle, course) <= 1e-3


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in FEW])
def test_what_a_learner_of_the_course_does_to_photos_is_read(kind: str, course: Path) -> None:
    build, vocab, (input_size, resize_to, method), _ = KINDS[kind]
    learn = build(course)
    preprocess = read_preprocess(learn)
    assert read_vocab(learn) == vocab
    assert (preprocess.input_size, preprocess.resize_to, preprocess.method) == (input_size, resize_to, method)
    photos = fv.torch.rand(2, *input_size)
    resize = find_batch_resize(learn, input_size[1:])
    assert (resize is not None) == (kind == "shrunk")
    seen = photos if resize is None else resize(photos)
    assert split_network(learn.model.eval(), seen).linear.out_features == len(vocab)


def test_the_bundle_says_what_is_known_and_claims_nothing_else(plain: Any) -> None:
    bundle, manifest = plain.bundle, plain.bundle.manifest.to_dict()
    assert manifest["metrics"] == {"train": None, "valid": None, "test": None}
    assert (manifest["ood"], manifest["temperature"]) == (None, 1.0)
    assert manifest["sealed_test"] == {"n": 0, "openings": []}
    assert manifest["training"]["mode"] == "imported"
    assert manifest["training"]["from"] == "export.pkl"
    assert manifest["training"]["fastai"] == "2.8 or later"
    assert manifest["training"]["python"] == f"3.{sys.version_info.minor}"
    assert manifest["arch"] == "test_resnet"
    assert manifest["files"]["export.pkl"] == hash_file(plain.file)
    assert (bundle.title, bundle.read_photos(), bundle.example_files) == ("Course", [], [])
    assert any("evaluate" in s and "not trained on" in s for s in plain.said)


def test_photos_are_compared_on_as_fastclf_reads_them(plain: Any, course: Path, tmp_path: Path) -> None:
    some = tmp_path / "some"
    shutil.copytree(course / "red", some / "deep" / "red")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    draw_scene("turned", (90, 60)).save(some / "turned.jpg", exif=exif)
    (some / "broken.jpg").write_bytes(b"nothing")
    said: list[str] = []
    bundle = run_import(plain.file, tmp_path / "model", photos=some, say=said.append)
    parity = bundle.manifest.parity
    assert (parity.photos, parity.of, parity.turned) == (11, "photos of some", 1)
    assert any("1 of these photos" in s for s in said)
    (tmp_path / "none").mkdir()
    with pytest.raises(PhotosError, match="no readable photo"):
        run_import(plain.file, tmp_path / "other", photos=tmp_path / "none")


def test_classes_of_other_names_are_as_many_and_different(plain: Any, tmp_path: Path) -> None:
    for names in (["b", "g"], ["b", "b", "r"], ["b", "g", ""]):
        with pytest.raises(UsageError, match=r"3 different ones .* blue, green, red"):
            run_import(plain.file, tmp_path / "other", class_names=names)


def test_nothing_is_opened_without_the_flag(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Harm:
        def __reduce__(self) -> Any:
            return (Path.touch, (marker,))

    plain, zipped = tmp_path / "export.pkl", tmp_path / "zipped.pkl"
    plain.write_bytes(pickle.dumps(Harm()))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Harm()))
        archive.writestr("archive/version", "3\n")
    for file in (plain, zipped):
        with pytest.raises(UsageError, match="runs whatever code its maker"):
            import_learner(file, tmp_path / "model")
        done = call_fastclf("import", file, "--out", tmp_path / "model", cwd=tmp_path)
        assert done.returncode == 2
        assert "--trust-pickle" in done.stderr
    assert not marker.exists()
    assert not (tmp_path / "model").exists()
    # and the trap is a real one
    pickle.loads(plain.read_bytes())
    assert marker.exists()


def test_the_command_makes_a_model_that_predicts_and_evaluates(
    plain: Any, course: Path, tmp_path: Path
) -> None:
    options = ["--trust-pickle", "--out=m", "--class-names=b, g,r", "--json"]
    done = run_fastclf("import", plain.file, *options, cwd=tmp_path, timeout=400)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["vocab"] == ["b", "g", "r"]
    assert "answers like the Learner" in done.stderr
    photo = course / "red" / "Red_0.png"
    answer = json.loads(call_fastclf("predict", "m", photo, "--json", cwd=tmp_path).stdout)
    assert answer["label"] in ("b", "g", "r")
    assert (answer["unfamiliar"], answer["ood_score"]) == (None, None)
    shutil.copytree(course, tmp_path / "p")
    for old, new in (("blue", "b"), ("green", "g"), ("red", "r")):
        (tmp_path / "p" / old).rename(tmp_path / "p" / new)
    done = call_fastclf("evaluate", "m", "p", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["new"]["n"] == 30


def test_a_refit_is_refused_because_no_photo_is_known_to_be_new(
    plain: Any, course: Path, tmp_path: Path
) -> None:
    shutil.copytree(course, tmp_path / "photos")
    with pytest.raises(RefitError, match="nobody knows which photos it was trained on"):
        refit_head(plain.bundle.path, tmp_path / "photos")
    assert not (tmp_path / "photos" / ".fastclf").exists()
    store = CatalogStore(tmp_path / "photos", plain.bundle.path)
    store.open(lambda _: None)
    store.prepare(lambda _: None)
    assert "imported" in store.find_obstacle()
    assert len(store.load_items()) == 30


class Reference:
    """Pickles as the name of a function in the notebook, as fastai before 2.8 pickled functions."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def __reduce__(self) -> str:
        return "of_the_notebook"


def _refer(monkeypatch: pytest.MonkeyPatch, function: Any) -> Reference:
    reference = Reference(function)
    monkeypatch.setattr(reference, "__module__", "__main__", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "of_the_notebook", reference, raising=False)
    return reference


@pytest.mark.parametrize("kind", ["by value", "by name", "by name for paths"])
def test_functions_of_the_notebook_are_not_needed(
    kind: str, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_cat(file: Path) -> bool:
        return file.name[0].isupper()

    with monkeypatch.context() as notebook:
        if kind == "by value":  # as the fastai of today pickles it
            is_cat.__module__, is_cat.__qualname__ = "__main__", "is_cat"
            notebook.setattr(sys.modules["__main__"], "is_cat", is_cat, raising=False)
            reads: dict[str, Any] = {"get_y": is_cat}
        elif kind == "by name":
            reads = {"get_y": _refer(notebook, is_cat)}
        else:
            reads = {"get_x": _refer(notebook, lambda f: Path(f)), "get_y": fv.parent_label}
        block = fv.DataBlock(blocks=(fv.ImageBlock, fv.CategoryBlock), item_tfms=fv.Resize(48), **reads)
        dls = block.dataloaders(fv.get_image_files(course), bs=8, num_workers=0)
        learn = train_briefly(build_learner(dls))
        file = export(learn, tmp_path / "export.pkl")
        named = b"c__main__\nof_the_notebook\n" in zipfile.ZipFile(file).read("export/data.pkl")
        assert named == (kind != "by value")
    before = set(vars(sys.modules["__main__"]))
    bundle = run_import(file, tmp_path / "model")
    assert set(vars(sys.modules["__main__"])) == before
    assert bundle.vocab == (["blue", "green", "red"] if "paths" in kind else ["False", "True"])
    assert measure(learn, bundle, course) <= 1e-3


def test_a_learner_of_an_older_fastai_opens(
    course: Path, plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # before 2.8, transforms lived in fastcore.transform and found their functions by a TypeDispatch
    dispatch = types.ModuleType("fastcore.dispatch")
    for name in ("TypeDispatch", "_TypeDict"):
        setattr(dispatch, name, type(name, (), {"__module__": "fastcore.dispatch", "__qualname__": name}))

    def build(function: Any, kind: type) -> Any:
        def table(key: type, value: Any) -> Any:
            made = dispatch._TypeDict()
            made.d, made.cache = {key: value}, {}
            return made

        made = dispatch.TypeDispatch()
        made.funcs, made.bases = table(kind, table(object, function)), []
        return made

    with monkeypatch.context() as old:
        old.setitem(sys.modules, "fastcore.dispatch", dispatch)
        opened = fv.load_learner(plain.file)
        pipeline = opened.dls.tls[0].tfms
        transform = next(t for t in pipeline.fs if "encodes" in vars(t))
        transform.encodes = build(fv.PILImage.create, object)
        export(opened, tmp_path / "dispatch.pkl")
    changes = {b"cfasttransform.transform\nPipeline\n": b"cfastcore.transform\nPipeline\n"}
    rewritten = rewrite(tmp_path / "dispatch.pkl", changes, tmp_path / "export.pkl")
    bundle = run_import(rewritten, tmp_path / "model")
    assert measure(plain.learn, bundle, course) <= 1e-3


def test_learners_of_other_machines_open(plain: Any, course: Path, tmp_path: Path) -> None:
    windows = {b"cpathlib\nPosixPath\n": b"cpathlib\nWindowsPath\n"}
    graphics = {b"X\x03\x00\x00\x00cpu": b"X\x06\x00\x00\x00cuda:0"}
    file = rewrite(plain.file, windows | graphics, tmp_path / "export.pkl")
    bundle = run_import(file, tmp_path / "model")
    assert measure(plain.learn, bundle, course) <= 1e-3


def test_another_python_is_named_before_its_code_runs(plain: Any, tmp_path: Path) -> None:
    here = f"python3.{sys.version_info.minor}/site-packages".encode()
    other = here.replace(f"3.{sys.version_info.minor}".encode(), b"3.99")
    file = rewrite(plain.file, {here: other}, tmp_path / "export.pkl")
    with pytest.raises(LearnerError, match=r"exported on Python 3\.99, and this is Python 3\.\d+"):
        run_import(file, tmp_path / "model")


def test_a_missing_package_is_named(plain: Any, tmp_path: Path) -> None:
    file = rewrite(plain.file, {b"ctimm.models.resnet\n": b"ctimx.models.resnet\n"}, tmp_path / "export.pkl")
    with pytest.raises(LearnerError, match="timx is not installed"):
        run_import(file, tmp_path / "model")
    file = rewrite(plain.file, {b"\nAdaptiveConcatPool2d\n": b"\nAdaptiveConcatPool9d\n"}, file)
    with pytest.raises(LearnerError, match=r"fastai.layers.AdaptiveConcatPool9d, which the installed fastai"):
        run_import(file, tmp_path / "model")


def test_a_file_that_holds_no_learner_is_refused_with_what_it_is(plain: Any, tmp_path: Path) -> None:
    whole = plain.file.read_bytes()
    for name, data in {"empty": b"", "text": b"hello", "cut": whole[: len(whole) // 2]}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "plain").write_bytes(pickle.dumps([1, 2]))
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    torch.save(plain.learn.model.state_dict(), tmp_path / "weights")
    for name, words in {
        "empty": "is empty", "text": "is no pickle", "cut": "cut off",
        "plain": r"does not open \(.*another Python than 3\.\d+ or another fastai",
        "zip": r"not one that `learn\.export` writes", "weights": "holds a OrderedDict and no Learner",
    }.items():  # fmt: skip
        with pytest.raises(LearnerError, match=words):
            run_import(tmp_path / name, tmp_path / "model")
    with pytest.raises(UsageError, match="There is no file"):
        run_import(tmp_path / "nowhere.pkl", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_is_not_replaced_by_its_own_export(plain: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--out"):
        run_import(plain.bundle.path / "export.pkl", plain.bundle.path)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.tex").write_text("years")
    with pytest.raises(UsageError, match="other things"):
        run_import(plain.file, tmp_path / "thesis")
