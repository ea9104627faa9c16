"""Which split the name of a folder says, by any usual name and spelling."""

from __future__ import annotations

import re

from ..system import unify_name
from .splits import TEST, TRAIN, VALID

_WORDS = {
    TRAIN: "train training trn trainval learn entrenamiento entrenar entrainement entraînement apprentissage"
    " treino treinamento treinar addestramento trening treningowy uczący тренировка обучение навчання"
    " trainen trainingen oefenen träna träning trening eğitim latih pelatihan تدريب"
    " 训练 训练集 訓練 学習 훈련",
    VALID: "valid val validation validate validating vld dev devel development validierung validacion"
    " validación validação validacao convalida валидация 验证 验证集 検証 검증",
    TEST: "test testing tst tests prueba pruebas teste testes prova toets testen testowy testowanie uji"
    " اختبار тест тестирование 测试 测试集 測試 テスト 테스트",
}
# A validation set to most; a test set to those who have one of that name besides.
_EITHER = "eval evaluation évaluation evaluate holdout heldout unseen"
_BY_WORD = {word: split for split, words in _WORDS.items() for word in words.split()}
_EITHER_WORDS = frozenset(_EITHER.split())
# What such a name may hold besides.
_FILLER = (
    "set sets data dataset datasets daten image images imagery img imgs photo photos pic pics picture"
    " pictures bilder fotos seg segmentation split splits folder dir file files raw small full jpg jpeg png"
    " part classes classification class original resized the my final new subset sub"
    " public private labeled labelled annotated"
)
_FILLERS = frozenset(_FILLER.split())
_PARTS = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-zß-ÿ])(?=[A-Z])")


def read_split_name(name: str) -> str:
    """Return "train", "valid" or "test" if a folder's name says so, else "".

    Parameters
    ----------
    name
        Of a folder, in any of a dozen languages.

    Returns
    -------
    str
        The split, or "".

    Examples
    --------
    >>> [read_split_name(name) for name in ("Training", "test_set", "valData", "train2017", "trains")]
    ['train', 'test', 'valid', 'train', '']
    """
    found = _find_words(name)
    splits = {_BY_WORD.get(word, VALID) for word in found}
    return splits.pop() if len(splits) == 1 else ""


def read_stem(name: str) -> tuple[str, str]:
    """Return what a name says beside the one word for a split in it, and the split; "" where there is none.

    Examples
    --------
    >>> read_stem("asl_alphabet_train"), read_stem("black bear")
    (('asl alphabet', 'train'), ('black bear', ''))
    """
    parts = _split_parts(name)
    splits = [read_split_name(part) for part in parts]
    if sum(map(bool, splits)) != 1:
        return " ".join(parts), ""
    place = splits.index(max(splits))
    return " ".join(part for part in parts if part != parts[place]), splits[place]


def says_either(name: str) -> bool:
    """Return whether the name is one of those that some give the validation and others the test set."""
    return bool(_EITHER_WORDS & set(_find_words(name)))


def is_filler(name: str) -> bool:
    """Return whether a name says nothing but that there are photos or data: "images", "dataset"."""
    parts = _split_parts(name)
    return bool(parts) and all(part in _FILLERS for part in parts)


def _find_words(name: str) -> list[str]:
    """Return the words of a name that say a split; none where others are among them."""
    words = []
    for part in _split_parts(name):
        word = part if part in _BY_WORD or part in _EITHER_WORDS else _leave_filler_out(part)
        if word:
            words.append(word)
        elif part not in _FILLERS:
            return []
    return words


def _split_parts(name: str) -> list[str]:
    parts = [part.casefold() for part in _PARTS.findall(_HUMP.sub("_", unify_name(name)))]
    return ["holdout", *parts[2:]] if parts[:2] in (["hold", "out"], ["held", "out"]) else parts


def _leave_filler_out(part: str) -> str:
    """Return "train" of "trainset" and "testdata", "" of what is no such word."""
    for word in (*_BY_WORD, *_EITHER_WORDS):
        rest = part.removeprefix(word)
        if len(word) > 2 and rest != part and (rest in _FILLERS or rest.removeprefix("s") in _FILLERS):
            return word
    return ""
