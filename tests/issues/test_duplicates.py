"""Near-duplicates: every kind of copy is found, nothing else is, and groups are never chained."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from fastclf.issues import (
    N_HASHES,
    SIGNATURE_SHAPE,
    Copies,
    Fingerprint,
    confirm_pairs,
    describe_photo,
    find_copies,
    find_pixel_pairs,
    group_pairs,
)
from fastclf.issues.near import buckets, candidates, cells, confirm, duplicates, features, search
from fastclf.issues.near.align import align_coarse, make_coarse, score_aligned, turn_signatures
from fastclf.issues.near.buckets import Block
from fastclf.issues.near.duplicates import NearPairs
from fastclf.issues.near.features import find_feature_pairs
from fastclf.issues.near.hashes import TURNS, WINDOWS, hash_signatures, is_comparable, make_kernel
from fastclf.issues.near.search import CloseHashes, find_close_hashes
from fastclf.issues.near.turns import MIRRORED, N_TURNS, follow_turns, invert_turn, turn_pixels
from fastclf.photos import Photo, encode_jpeg


def draw_scene(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Overlapping shapes before a shaded ground, with grain; every seed draws another scene in the same colours."""
    rng = np.random.default_rng(seed)
    w, h = size
    shade = np.linspace(90, 170, w)[None, :, None] + np.linspace(-30, 30, h)[:, None, None]
    ground = np.clip(np.broadcast_to(shade, (h, w, 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(ground))
    draw = ImageDraw.Draw(image)
    for n in range(14):
        x, y = rng.random(2) * (w, h) * 0.85
        box = (x, y, x + w * rng.uniform(0.05, 0.3), y + h * rng.uniform(0.05, 0.3))
        colour = [(200, 60, 60), (60, 60, 190), (50, 160, 70), (220, 200, 80)][n % 4]
        [draw.ellipse, draw.rectangle][n % 2](box, fill=colour)
    grain = rng.integers(-6, 7, (h, w, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def save_jpeg(image: Image.Image, quality: int = 92) -> Image.Image:
    return Image.open(io.BytesIO(encode_jpeg(image, quality)))


def cut(left: float, top: float, right: float, bottom: float) -> Callable[[Image.Image], Image.Image]:
    """Remove shares of the width and the height from the four sides."""
    shares = np.array([left, top, 1 - right, 1 - bottom])
    return lambda im: im.crop(tuple(np.round(shares * (im.size * 2)).astype(int)))


def scale(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda im: ImageOps.scale(im, factor, Image.Resampling.BICUBIC)


def light(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda im: im.point(lambda v: min(255, round(v * factor)))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half": scale(0.5),
    "larger": scale(1.5),
    "jpeg 30": lambda im: save_jpeg(im, 30),
    "crop 5 %, middle": cut(0.025, 0.025, 0.025, 0.025),
    "crop 5 %, corner": cut(0.05, 0, 0, 0.05),
    "crop 5 %, anywhere": cut(0.04, 0.01, 0.01, 0.04),
    "crop 5 % of each side": cut(0.05, 0.05, 0.05, 0.05),
    "crop 10 % of each side": cut(0.1, 0.1, 0.1, 0.1),
    "crop 10 %, corner": cut(0, 0.1, 0.1, 0),
    "brighter": light(1.15),
    "darker": light(0.85),
    "mirrored": ImageOps.mirror,
    "squeezed": lambda im: im.resize((224, 224), Image.Resampling.BICUBIC),
}


FRAMES = {82: (9, 9, 9, 9, "black"), 73: (0, 9, 0, 0, "white")}


def find(photos: list[Fingerprint], **options: object) -> NearPairs:
    hashes = np.stack([photo.hashes for photo in photos])
    signatures = np.stack([photo.signature for photo in photos])
    comparable = np.array([photo.comparable for photo in photos])
    return find_pixel_pairs(hashes, signatures, comparable, **options)  # type: ignore[arg-type]


def as_set(pairs: np.ndarray) -> set[tuple[int, int]]:
    return {(a, b) for a, b in pairs.tolist()}


@pytest.fixture(scope="module")
def scenes() -> list[Image.Image]:
    return [draw_scene(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def photos(scenes: list[Image.Image]) -> list[Fingerprint]:
    return [describe_photo(scene) for scene in scenes]


@pytest.mark.parametrize("kind", COPIES)
def test_every_copy_is_paired_with_its_original_and_nothing_else_is(
    kind: str, scenes: list[Image.Image], photos: list[Fingerprint]
) -> None:
    n = len(scenes)
    copies = [describe_photo(save_jpeg(COPIES[kind](scene))) for scene in scenes]
    found = find(photos + copies)
    assert as_set(found.pairs) == {(i, i + n) for i in range(n)}
    assert set(found.turns.tolist()) == {MIRRORED if kind == "mirrored" else 0}
    assert found.scores.min() >= 0.9
    assert found.scores.max() <= 1


def test_one_object_more_makes_another_photo() -> None:
    a, b = draw_scene(0), draw_scene(0)
    ImageDraw.Draw(b).ellipse((60, 120, 100, 170), fill=(60, 60, 190))
    first, second = describe_photo(a), describe_photo(save_jpeg(b))
    assert int(first.phash ^ second.phash).bit_count() <= 10, "the hashes alone would take the two for one"
    assert find([first, second]).n_candidates == 1
    assert not len(find([first, second]).pairs)


def test_the_same_shapes_in_other_colours_are_another_photo(
    scenes: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    grey, blueness, redness = scenes[0].convert("YCbCr").split()
    swapped = Image.merge("YCbCr", (grey, redness, blueness)).convert("RGB")
    a, b = describe_photo(scenes[0]), describe_photo(swapped)
    assert find([a, b]).n_candidates == 1
    assert len(find([a, a]).pairs) == 1
    monkeypatch.setattr(duplicates, "MIN_SCORE", 0.5)
    assert not len(find([a, b]).pairs)


def test_small_and_empty_photos_are_in_no_pair_and_extreme_shapes_are_described() -> None:
    for size in ((1, 1), (1, 900), (3000, 3), (64, 64)):
        assert describe_photo(Image.new("RGB", size, "red")).signature.shape == SIGNATURE_SHAPE
    small = describe_photo(draw_scene(0).resize((32, 32)))
    plain = describe_photo(Image.new("RGB", (400, 300), (180, 180, 180)))
    shaded = describe_photo(Image.linear_gradient("L").convert("RGB").resize((400, 300)))
    assert [photo.comparable for photo in (small, plain, shaded)] == [False] * 3
    assert not len(find([small, small, plain, plain, shaded, shaded]).pairs)
    assert is_comparable(48, 2.0)
    assert not is_comparable(47, 9.0)
    assert not is_comparable(400, 1.9)


def test_hashes_agree_with_imagehash(scenes: list[Image.Image]) -> None:
    imagehash = pytest.importorskip("imagehash")
    for image in [*scenes, *(scene.resize((100, 100)) for scene in scenes)]:
        for ours, theirs in ((0, image), (1, ImageOps.mirror(image))):
            expected = int(str(imagehash.phash(theirs)), 16)
            assert (int(describe_photo(image).hashes[ours]) ^ expected).bit_count() <= 4


def test_hashes_come_from_the_signature_alone(photos: list[Fingerprint]) -> None:
    signatures = np.stack([photo.signature for photo in photos])
    assert (hash_signatures(signatures) == np.stack([photo.hashes for photo in photos])).all()
    assert photos[0].hashes.shape == (N_HASHES,) == (len(TURNS) + len(WINDOWS) - 1,)
    assert signatures.dtype == np.uint8
    assert signatures[0].nbytes <= 6000


def lay(image: Image.Image, turn: int) -> Image.Image:
    """Mirror and turn a photo."""
    mirrored = ImageOps.mirror(image) if turn >= MIRRORED else image
    return mirrored.rotate(-90 * (turn % 4), expand=True)


@cache
def draw_described(size: tuple[int, int]) -> tuple[list[Image.Image], list[Fingerprint]]:
    """Six scenes of a size, with what is compared of them."""
    scenes = [draw_scene(seed, size) for seed in range(6)]
    return scenes, [describe_photo(scene) for scene in scenes]


@pytest.mark.parametrize("turn", range(1, N_TURNS))
@pytest.mark.parametrize("size", [(400, 300), (300, 400), (320, 320)])
def test_a_turned_copy_is_paired_with_its_original_whichever_comes_first(
    turn: int, size: tuple[int, int]
) -> None:
    scenes, photos = draw_described(size)
    copies = [describe_photo(save_jpeg(lay(scene, turn), 85)) for scene in scenes]
    for every, expected in ((photos + copies, turn), (copies + photos, invert_turn(turn))):
        found = find(every)
        assert as_set(found.pairs) == {(i, i + 6) for i in range(6)}
        assert set(found.turns.tolist()) == {expected}
        added = find(every, new=np.arange(12) >= 6)
        assert (as_set(added.pairs), added.turns.tolist()) == (as_set(found.pairs), found.turns.tolist())


def test_turns_follow_on_each_other_and_are_undone() -> None:
    pixels = np.arange(9).reshape(3, 3)
    for first in range(N_TURNS):
        turned = turn_pixels(pixels, first)
        assert (turn_pixels(turned, invert_turn(first)) == pixels).all()
        for then in range(N_TURNS):
            assert (turn_pixels(turned, then) == turn_pixels(pixels, follow_turns(first, then))).all()


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_signature_is_the_signature_of_the_turned_photo(turn: int) -> None:
    signature = describe_photo(draw_scene(0)).signature[None]
    turned = describe_photo(lay(draw_scene(0), turn)).signature
    assert np.abs(turn_signatures(signature, turn)[0].astype(int) - turned).mean() < 1
    hashes = hash_signatures(turn_signatures(signature, turn))[:, 0]
    assert hashes == hash_signatures(signature)[:, TURNS.index(turn)]


def test_the_order_of_photos_does_not_matter(scenes: list[Image.Image], photos: list[Fingerprint]) -> None:
    copies = [describe_photo(cut(0.05, 0, 0, 0.05)(scene)) for scene in scenes]
    small = [describe_photo(scale(0.5)(scene)) for scene in scenes]
    every = photos + copies + small
    names = [f"{n:03d}" for n in range(len(every))]

    def describe(order: np.ndarray) -> tuple[set[tuple[str, str]], set[tuple[str, ...]]]:
        called = [names[n] for n in order]
        found = find([every[n] for n in order])
        pairs = {tuple(sorted((called[a], called[b]))) for a, b in found.pairs.tolist()}
        groups = group_pairs(found.pairs, found.scores, called)
        return pairs, {(called[g.centre], *sorted(called[m] for m in g.members)) for g in groups}

    straight = describe(np.arange(len(every)))
    assert len(straight[1]) == len(scenes)
    assert describe(np.random.default_rng(3).permutation(len(every))) == straight


def test_new_photos_are_compared_with_all_and_old_ones_not_again(
    scenes: list[Image.Image], photos: list[Fingerprint]
) -> None:
    crops = [describe_photo(cut(0.05, 0.05, 0.05, 0.05)(scene)) for scene in scenes]
    every = [*photos[:6], *crops[6:], *crops[:6], *photos[6:], photos[0]]
    new = np.arange(len(every)) >= len(scenes)
    everything, old = find(every), find(every[: len(scenes)])
    added = find(every, new=new)
    assert not len(old.pairs)
    assert as_set(added.pairs) == as_set(everything.pairs) - as_set(old.pairs)
    assert len(added.pairs) == len(scenes) + 2
    assert not len(find(every, new=np.zeros(len(every), bool)).pairs)


def test_signatures_are_read_a_few_at_a_time(photos: list[Fingerprint]) -> None:
    signatures = np.stack([photo.signature for photo in photos[:4] * 10])
    hashes = np.stack([photo.hashes for photo in photos[:4] * 10])
    asked = []

    class Store:
        def __getitem__(self, numbers: np.ndarray, /) -> np.ndarray:
            asked.append(len(numbers))
            return signatures[numbers]

    found = find_pixel_pairs(hashes, Store(), np.ones(len(hashes), bool))
    assert len(found.pairs) == 4 * 45 > 128
    assert max(asked) <= 128


def test_a_cap_on_candidates_is_said(photos: list[Fingerprint]) -> None:
    found = find([photos[0]] * 10 + [photos[1]], per_photo=3)
    assert set(found.capped.tolist()) >= set(range(6))
    assert 10 not in found.capped
    assert not len(find([photos[0]] * 10).capped)


def test_arrays_of_different_lengths_are_refused(photos: list[Fingerprint]) -> None:
    hashes = np.stack([photo.hashes for photo in photos])
    with pytest.raises(ValueError, match=r"\(N,\) are needed"):
        find_pixel_pairs(hashes, np.zeros((12, 72, 64), np.uint8), np.ones(11, bool))


@pytest.mark.parametrize(
    ("pairs", "scores", "groups"),
    [
        # never chained
        ([(0, 1), (1, 2), (2, 3)], [0.95, 0.99, 0.97], [(1, (2, 0))]),
        # a photo whose partners are taken still leads the rest
        ([(0, 1), (0, 2), (0, 3), (3, 4), (4, 5)], [1] * 5, [(0, (1, 2, 3)), (4, (5,))]),
        # the next centre is the photo with most partners left
        (
            [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (2, 5), (5, 6), (6, 7), (6, 8)],
            [1] * 9,
            [(0, (1, 2, 3, 4)), (6, (5, 7, 8))],
        ),
    ],
)
def test_groups_stand_around_the_photo_with_most_partners(
    pairs: list[tuple[int, int]], scores: list[float], groups: list[tuple[int, tuple[int, ...]]]
) -> None:
    found = group_pairs(np.array(pairs), np.array(scores, np.float32), list("abcdefghi"))
    assert [(g.centre, g.members) for g in found] == groups
    known, (centre, members) = dict(zip(pairs, scores, strict=True)), groups[0]
    assert found[0].scores == pytest.approx([known[min(centre, m), max(centre, m)] for m in members])


def find_groups(
    photos: list[Photo], pairs: list[tuple[str, str, float]], features: np.ndarray | None = None
) -> Copies:
    if features is None:
        features = np.zeros((len(photos), 0), np.float32)
    turned = [(*pair, 0) for pair in pairs]
    return find_copies(photos, turned, features, lambda candidates: [0.95] * len(candidates))


def photo(name: str, pixels: str = "", side: int = 10, size: int = 10, split: str = "") -> Photo:
    return Photo(
        path=Path(name), name=name, label=name[0], sha256=f"sha {name}", pixel_hash=pixels or name, width=side,
        height=side, plain=True, size=size, split=split,
    )  # fmt: skip


def test_the_best_copy_has_most_pixels_then_bytes_then_the_first_name() -> None:
    same = [photo("b", "x"), photo("d", "x", size=20), photo("c", "x", size=20), photo("e", side=30)]
    copies = find_groups(same, [("sha b", "sha e", 0.91)])
    assert [p.name for p in copies.identical[0].photos] == ["c", "b", "d"]
    [near] = copies.near
    assert ([p.name for p in near.photos], near.tier) == (["e", "b"], "aligned")
    assert near.score == pytest.approx(0.91)
    assert len(set(copies.names)) == 1
    assert copies.conflicts == (copies.identical[0], near)


def test_copies_in_two_splits_and_photos_between_two_are_leaks() -> None:
    photos = [photo("a", split="train"), photo("b", split="valid"), photo("c"), photo("d", split="train")]
    copies = find_groups(
        photos, [("sha a", "sha b", 0.97), ("sha c", "sha b", 0.95), ("sha c", "sha d", 0.9)]
    )
    assert [{p.name for p in leak.photos} for leak in copies.leaks] == [{"a", "b"}, {"b", "c", "d"}]
    assert copies.leaks[1].score == 0.9
    # one that has a split joins nothing
    photos[2] = photo("c", split="train")
    copies = find_groups(photos, [("sha c", "sha b", 0.95), ("sha c", "sha d", 0.9)])
    assert [{p.name for p in leak.photos} for leak in copies.leaks] == [{"b", "c"}]


def test_a_group_says_how_its_best_copy_is_turned_to_become_the_others() -> None:
    # the centre b is the smallest one
    photos = [photo("a", side=30), photo("b"), photo("c", side=20)]
    pairs = [("sha a", "sha b", 0.95, 1), ("sha b", "sha c", 0.93, 1)]
    none = np.zeros((3, 0), np.float32)
    [group] = find_copies(photos, pairs, none, lambda candidates: []).near
    assert [(p.name, turn) for p, turn in zip(group.photos, group.turns, strict=True)] == [
        ("a", 0), ("b", 1), ("c", 2),
    ]  # fmt: skip


def test_what_features_bring_up_is_a_group_of_its_own_and_no_conflict() -> None:
    features = np.eye(6, dtype=np.float32)
    features[1] = features[0]
    copies = find_groups([photo(name) for name in "abcdef"], [], features)
    [group] = copies.near
    assert ([p.name for p in group.photos], group.tier) == (["a", "b"], "features")
    assert copies.conflicts == ()
    assert len(set(copies.names)) == 6


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("radius", [0, 6, 22])
def test_the_hash_search_equals_brute_force(rng: np.random.Generator, radius: int, threads: int) -> None:
    hashes = rng.integers(0, 2**63, 700, dtype=np.uint64)
    hashes[300:500] = hashes[:200] ^ (np.uint64(1) << rng.integers(0, 64, 200).astype(np.uint64))
    hashes[500:520] = hashes[:20]
    others = np.concatenate([rng.integers(0, 2**63, 5000, dtype=np.uint64), hashes[:100] ^ np.uint64(0b1011)])

    within = find_close_hashes(hashes, radius, per_photo=700, threads=threads)
    across = find_close_hashes(hashes, radius, others=others, per_photo=6000, threads=threads)

    distance = np.bitwise_count(hashes[:, None] ^ hashes)
    assert as_set(np.stack([within.i, within.j], 1)) == as_set(np.argwhere(np.triu(distance <= radius, 1)))
    assert (within.distance == distance[within.i, within.j]).all()
    distance = np.bitwise_count(hashes[:, None] ^ others)
    assert as_set(np.stack([across.i, across.j], 1)) == as_set(np.argwhere(distance <= radius))
    assert not len(within.capped)
    assert not len(across.capped)


@pytest.fixture
def bucketed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have few hashes searched as many are; the list holds how many pairs each block compared."""
    compared: list[int] = []
    run = search._Search._compare

    def count(self: search._Search, block: Block, rows: np.ndarray, buffer: np.ndarray) -> CloseHashes:
        compared.append(len(rows) * len(block.columns))
        return run(self, block, rows, buffer)

    monkeypatch.setattr(search._Search, "_compare", count)
    monkeypatch.setattr(buckets, "_LITTLE", 0)
    monkeypatch.setattr(buckets, "_BLOCK_COST", 0)
    return compared


@pytest.mark.parametrize("radius", [0, 1, 6, 10, 13])
@pytest.mark.parametrize("per_photo", [3, 6000])
def test_a_search_in_buckets_equals_one_of_all(
    rng: np.random.Generator,
    bucketed: list[int],
    monkeypatch: pytest.MonkeyPatch,
    radius: int,
    per_photo: int,
) -> None:
    # the lower bits are hardly ever set, as the hashes of real photos have bits that tell little
    columns = rng.integers(0, 2**64, 1500, dtype=np.uint64) & ~rng.integers(0, 2**20, 1500, dtype=np.uint64)
    flipped = np.uint64(1) << rng.integers(0, 64, (450, radius), dtype=np.uint64)
    rows = np.concatenate(
        [columns[:450], columns[:450] ^ np.bitwise_xor.reduce(flipped, axis=1), columns[:45]]
    )
    after = rng.integers(-1, len(columns), len(rows))
    found = find_close_hashes(rows, radius, others=columns, after=after, per_photo=per_photo, threads=2)
    assert sum(bucketed) < len(rows) * len(columns) / 2, "most pairs are not even looked at"
    distance = np.bitwise_count(rows[:, None] ^ columns)
    assert (found.distance == distance[found.i, found.j]).all()
    monkeypatch.setattr(buckets, "_LITTLE", 2**60)
    plain = find_close_hashes(rows, radius, others=columns, after=after, per_photo=per_photo)
    for name in ("i", "j", "distance", "capped"):
        assert getattr(found, name).tolist() == getattr(plain, name).tolist(), name
    if per_photo == 6000:
        near = (distance <= radius) & (np.arange(len(columns)) > after[:, None])
        assert as_set(np.stack([found.i, found.j], 1)) == as_set(np.argwhere(near))


def test_copies_are_found_in_buckets_whichever_way_they_lie(bucketed: list[int]) -> None:
    scenes = [draw_scene(seed) for seed in range(40)]
    turned = [lay(scene, seed % N_TURNS) for seed, scene in enumerate(scenes)]
    photos = [describe_photo(image) for image in [*scenes, *turned]]
    found = find(photos)
    assert len(bucketed) > 2 * len(photos)
    assert as_set(found.pairs) == {(i, i + 40) for i in range(40)}
    assert found.turns.tolist() == [i % N_TURNS for i in range(40)]


@pytest.mark.parametrize("spread", [0, 3])
def test_photos_that_are_all_alike_are_compared_with_all_and_few_pairs_of_each_are_kept(
    rng: np.random.Generator, bucketed: list[int], spread: int
) -> None:
    n = 400
    flipped = np.uint64(1) << rng.integers(0, 64, (n, N_HASHES, spread), dtype=np.uint64)
    hashes = np.bitwise_xor.reduce(flipped, axis=2, initial=np.uint64(0b1011))
    found = candidates.find_candidates(hashes, np.ones(n, bool), None, 8, None)
    assert sum(bucketed) <= N_HASHES * n * n
    assert len(found.first) <= 8 * n, "neither memory nor the time to confirm grows faster than the photos"
    assert len(found.capped) > n - 10


def test_hashes_searched_all_at_once_or_a_few_at_a_time_give_the_same_pairs(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 300
    hashes = rng.integers(0, 2**64, (n, N_HASHES), dtype=np.uint64)
    close = rng.permutation(n)[:90].reshape(45, 2)
    hashes[close[:, 0], 3] = hashes[close[:, 1], 0] ^ np.uint64(0b111)
    searched: list[int] = []
    search_close = candidates.find_close_hashes
    monkeypatch.setattr(
        candidates,
        "find_close_hashes",
        lambda rows, *a, **k: searched.append(1) or search_close(rows, *a, **k),
    )
    at_once = candidates.find_candidates(hashes, np.ones(n, bool), None, 64, None)
    assert len(searched) == 1
    monkeypatch.setattr(candidates, "_MANY_HASHES", 2 * n)
    in_steps = candidates.find_candidates(hashes, np.ones(n, bool), None, 64, None)
    assert len(searched) == 1 + -(-N_HASHES // 2)
    assert len(at_once.first) == 45
    for name in ("first", "second", "distance", "hash_number", "capped"):
        assert getattr(at_once, name).tolist() == getattr(in_steps, name).tolist(), name


def test_crowded_hashes_are_searched_a_few_at_a_time_whatever_memory_all_would_take(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 400
    flipped = np.uint64(1) << rng.integers(0, 64, (n, N_HASHES), dtype=np.uint64)
    most: list[int] = []
    search_close = candidates.find_close_hashes
    monkeypatch.setattr(
        candidates,
        "find_close_hashes",
        lambda rows, *a, **k: most.append(len(rows)) or search_close(rows, *a, **k),
    )
    monkeypatch.setattr(candidates, "_FEW_HASHES", n)
    candidates.find_candidates(flipped, np.ones(n, bool), None, 8, None)
    assert most == [n] * N_HASHES


def test_pairs_are_confirmed_by_coarse_pictures_first_as_they_are_by_all_levels_at_once() -> None:
    scenes = [draw_scene(seed) for seed in range(12)]
    images = [*scenes, *(lay(cut(0.03, 0.04, 0.02, 0)(s), i % N_TURNS) for i, s in enumerate(scenes))]
    signatures = np.stack([describe_photo(image).signature for image in images])
    first, second = np.divmod(np.arange(len(images) * 12), 12)
    turns = np.array([TURNS.index(invert_turn(i % N_TURNS)) if i % N_TURNS != 1 else 0 for i in second])
    found = candidates.Candidates(first, second + 12, np.zeros(len(first), np.uint8), turns, first[:0])
    read: list[int] = []

    class Reader:
        def __getitem__(self, photos: np.ndarray) -> np.ndarray:
            read.append(len(photos))
            return signatures[photos]

    scores = confirm.confirm_candidates(found, Reader(), threads=2)
    undone = confirm.UNDONE[np.array(TURNS)[turns]].tolist()
    turned = [turn_signatures(signatures[[j + 12]], t)[0] for j, t in zip(second, undone, strict=True)]
    windows = np.tile(np.array(WINDOWS[:1], np.float32), (len(first), 1))
    laid = np.stack(turned)
    alike, windows = align_coarse(make_coarse(signatures[first]), make_coarse(laid), windows)
    expected = np.zeros(len(first))
    expected[alike] = score_aligned(signatures[first[alike]], laid[alike], windows)
    np.testing.assert_allclose(scores, expected, atol=2e-3)
    assert 10 <= (scores >= confirm.MIN_SCORE).sum() < 24
    assert sum(read) < len(images) + 2 * len(first) / 4, "most are refused by pictures that are read once"


def test_pairs_of_which_nothing_is_alike_are_confirmed_as_none() -> None:
    signatures = np.stack([describe_photo(draw_scene(seed)).signature for seed in range(6)])
    signatures[3:, :64] = 255 - signatures[3:, :64]
    pairs = np.array([(0, 3), (1, 4), (2, 5)])
    assert confirm_pairs(pairs, signatures).tolist() == [0, 0, 0]
    assert confirm_pairs(pairs[:0], signatures).tolist() == []
    for turn in range(N_TURNS):
        assert turn_signatures(signatures[:0], turn).shape == (0, 72, 64)


def test_no_number_in_a_kernel_is_so_small_that_processors_take_a_hundred_times_as_long() -> None:
    for sigma in (0.6, 0.8, 1.0, 2.0, 3.0):
        kernel = make_kernel(64, sigma)
        assert kernel[kernel > 0].min() ** 2 > np.finfo(np.float32).tiny
        np.testing.assert_allclose(kernel.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("bits", "n"), [(1, 3000), (6, 3000), (12, 3000), (14, 30_000)])
def test_a_crowded_search_keeps_the_nearest_and_says_so(rng: np.random.Generator, bits: int, n: int) -> None:
    hashes = rng.integers(0, 2**bits, n, dtype=np.uint64)
    rows = hashes[:70]
    found = find_close_hashes(rows, 5, others=hashes, per_photo=7)
    distance = np.bitwise_count(rows[:, None] ^ hashes).astype(int)
    expected = np.argsort(distance, axis=1, kind="stable")[:, :7]
    assert (found.j.reshape(70, 7) == expected).all()
    assert (found.distance.reshape(70, 7) == np.take_along_axis(distance, expected, 1)).all()
    assert found.capped.tolist() == list(range(70))


def test_a_full_photo_that_lost_nothing_is_not_called_capped() -> None:
    found = find_close_hashes(np.zeros(4, np.uint64), 0, per_photo=3)
    assert len(found.i) == 6
    assert not len(found.capped)
    assert find_close_hashes(np.zeros(5, np.uint64), 0, per_photo=3).capped.tolist() == [0]


def test_no_hashes_give_no_pairs() -> None:
    none = np.zeros(0, np.uint64)
    assert not len(find_close_hashes(none, 5).i)
    assert not len(find_close_hashes(np.ones(3, np.uint64), 5, others=none).i)
    with pytest.raises(ValueError, match="radius is 65"):
        find_close_hashes(none, 65)


def test_feature_pairs_stand_out_from_their_surroundings(rng: np.random.Generator) -> None:
    features = rng.standard_normal((400, 32)).astype(np.float32)
    # a crowd: all alike, none of them a copy
    features[200:] = features[200] * 3 + 0.3 * features[200:]
    copies = [(1, 2), (201, 202)]
    features[2] = features[1] * 2 + 0.2 * rng.standard_normal(32)
    features[202] = features[201] + 0.01 * rng.standard_normal(32)

    assert as_set(find_feature_pairs(features, ratio=0.5)) == set(copies)


def test_features_of_any_number_are_searched_in_blocks(rng: np.random.Generator) -> None:
    features = rng.standard_normal((3000, 64)).astype(np.float32)
    features[2990:] = features[:10]
    features[5] = 0
    found = find_feature_pairs(features, ratio=0.5)
    assert as_set(found) == {(i, 2990 + i) for i in range(10) if i != 5}
    assert not len(find_feature_pairs(features[:1]))
    assert not len(find_feature_pairs(features[:0]))
    with pytest.raises(ValueError, match="finite"):
        find_feature_pairs(np.full((3, 2), np.nan, np.float32))


def test_a_photo_keeps_its_nearest_partners_by_features(rng: np.random.Generator) -> None:
    features = rng.standard_normal((60, 16)).astype(np.float32)
    features[:6] = features[0]
    partners = np.bincount(find_feature_pairs(features, ratio=0.5, per_photo=1).ravel(), minlength=60)
    assert partners[:6].min() >= 1
    assert partners[:6].sum() < 6 * 5
    every = as_set(find_feature_pairs(features, ratio=0.5))
    assert {(i, j) for i in range(6) for j in range(i + 1, 6)} <= every


def test_very_many_features_are_compared_with_their_surroundings_alone(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    centres = rng.normal(size=(40, 32))
    vectors = np.repeat(centres, 50, axis=0) + 0.3 * rng.normal(size=(2000, 32))
    vectors[1900:] = vectors[:100] + 0.01 * rng.normal(size=(100, 32))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    exact = as_set(find_feature_pairs(unit))
    monkeypatch.setattr(features, "_ALL_WITH_ALL", 500)
    monkeypatch.setattr(cells, "_AROUND", 8)
    parts = list(cells.list_surroundings(unit))
    assert sorted(np.concatenate([rows for rows, _ in parts]).tolist()) == list(range(2000))
    assert sum(len(rows) * len(others) for rows, others in parts) < 2000**2 / 3
    found = as_set(find_feature_pairs(unit))
    assert {(i, 1900 + i) for i in range(100)} <= found
    assert len(found & exact) >= 0.9 * len(exact)


def test_features_that_are_all_equal_have_partners_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_ALL_WITH_ALL", 10)
    found = find_feature_pairs(np.ones((60, 4), np.float32))
    assert np.unique(found).tolist() == list(range(60))


@pytest.mark.parametrize("seed", FRAMES)
def test_a_frame_whose_coarse_picture_differs_most_hides_no_copy(seed: int) -> None:
    *widths, colour = FRAMES[seed]
    scene = draw_scene(seed)
    framed = ImageOps.expand(scene, tuple(widths), colour)  # type: ignore[arg-type]
    assert as_set(find([describe_photo(scene), describe_photo(framed)]).pairs) == {(0, 1)}
