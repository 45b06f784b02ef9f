"""Modes that are chosen by a word, such as "train" and "eval"."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Literal, get_args, get_origin

from conformance.adapters.recognition.names import EVALUATION_WORDS, MODE_NAMES, TRAINING_WORDS
from conformance.adapters.synonyms import normalize


def pair_words(value: object, hint: object = None) -> Iterator[tuple[str, str]]:
    """Yield what may be the words that train and that evaluate, the most likely first.

    Args:
        value: A value that the mode has, such as a default; of another type if none is known.
        hint: The annotation, which may list all words.
    """
    if (listed := list_words(hint)) is not None:
        train, evaluate = _known(TRAINING_WORDS, listed), _known(EVALUATION_WORDS, listed)
    elif not isinstance(value, str):
        train, evaluate = list(TRAINING_WORDS), list(EVALUATION_WORDS)
    elif normalize(value) in TRAINING_WORDS:
        train, evaluate = [value], [_like(value, word) for word in EVALUATION_WORDS]
    elif normalize(value) in EVALUATION_WORDS:
        train, evaluate = [_like(value, word) for word in TRAINING_WORDS], [value]
    else:
        return
    yield from ((one, other) for one in train for other in evaluate)


def list_words(hint: object) -> list[str] | None:
    """Return the words that an annotation lists; None if it lists no values."""
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return [each.value for each in hint if isinstance(each, str)]
    if get_origin(hint) is Literal:
        return [each for each in get_args(hint) if isinstance(each, str)]
    return None


def _known(words: Sequence[str], listed: Sequence[str]) -> list[str]:
    return [each for each in listed if normalize(each) in words]


def _like(model: str, word: str) -> str:
    """Return a word in upper or lower case, or with a capital, like another."""
    return word.upper() if model.isupper() else word.title() if model.istitle() else word


def may_be_word(parameter: inspect.Parameter, hint: object) -> bool:
    """Whether an argument may be a word, or another value of an enumeration, for the mode."""
    listed = list_words(hint) is not None
    by_name = normalize(parameter.name) in MODE_NAMES
    return listed or hint is str or by_name or isinstance(parameter.default, str | Enum)
