"""The error for input that cannot be used, as data that each front end words for itself."""

import copy
import operator
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeVar


class _Sentinel(Enum):
    """A member of an enumeration stays the same object when it is copied or pickled."""

    NOT_GIVEN = "not given"


NOT_GIVEN: Final = _Sentinel.NOT_GIVEN
"""Stands for `given` where an error is not about one value."""

PYTHON_NAMES: Final = {"strongest": "line='strongest'", "none": "None"}
"""Names in errors that Python writes in another way; all others keep theirs."""

MAX_SHOWN: Final = 80
"""Characters of a value that a message shows."""


def python_name(choice: str) -> str:
    """The name of a choice as an argument of a Python function.

    >>> python_name("strongest"), python_name("near")
    ("line='strongest'", 'near')
    """
    return PYTHON_NAMES.get(choice, choice)


Category = TypeVar("Category", bound="InputError")


class InputError(ValueError):
    """An input cannot be used.

    The error keeps its parts. The command line can then name an option, Python an argument and the
    app a field, and none of them has to rewrite a finished sentence.

    Args:
        what: The argument by its Python name, or the subject in words ("no line above the noise").
        given: Its value; left out if the error is not about one value.
        expected: What would have been accepted, without a verb ("a field in mT").
        hint: What to do next: a sentence without its full stop.
        where: Places from the outermost inwards ("sweep.csv", "row 3"); see `at`.

    `expected` and `hint` name other arguments in braces, "{near}"; `worded` replaces them. A
    literal brace is written twice. Text from a user belongs in `given` or `what`.

    >>> print(InputError("near", given=-1.0, expected="a field above 0 mT"))
    near = -1: expected a field above 0 mT
    >>> error = InputError("two lines", expected="one", hint="Select one with {strongest}")
    >>> print(error.at("30°").at("film.csv"))
    film.csv: 30°: two lines: expected one. Select one with line='strongest'
    """

    def __init__(
        self,
        what: str,
        *,
        given: Any = NOT_GIVEN,
        expected: str = "",
        hint: str = "",
        where: tuple[str, ...] = (),
    ):
        super().__init__(what)
        self.what, self.given, self.expected, self.hint = what, given, expected, hint
        self.where = where

    def at(self: Category, place: str) -> Category:
        """A copy of the error, of the same class, in a place around it: a file, a row, an angle."""
        placed = copy.copy(self)
        placed.where = (place, *self.where)
        return placed

    def as_category(self, category: type[Category]) -> Category:
        """The same error, of another class."""
        return category(
            self.what, given=self.given, expected=self.expected, hint=self.hint, where=self.where
        )

    def worded(self, name: Callable[[str], str] = python_name) -> str:
        """The message on one line.

        Args:
            name: Gives the reader's name of an argument: `--near` on the command line.

        >>> error = InputError("near", given=3.0, expected="no {strongest} beside it")
        >>> error.worded(lambda argument: f"--{argument}")
        '--near = 3: expected no --strongest beside it'
        """
        names = _Names(name)
        subject = name(self.what)
        if self.given is not NOT_GIVEN:
            subject += f" = {shown_value(self.given)}"
        if self.expected:
            subject += f": expected {self.expected.format_map(names)}"
        if self.hint:
            subject += f". {self.hint.format_map(names)}"
        return " ".join(": ".join([*self.where, subject]).split())

    def __str__(self) -> str:
        return self.worded()


def check_count(name: str, count: Any, least: int = 1) -> None:
    """Raise `InputError` for an argument that is no whole number, or below its least one."""
    try:
        whole = operator.index(count)
    except TypeError:
        raise InputError(name, given=count, expected=f"a whole number, {least} or more") from None
    if whole < least:
        raise InputError(name, given=count, expected=f"{least} or more")


class _Names(dict[str, str]):
    """The name of any argument, for `str.format_map`."""

    def __init__(self, name: Callable[[str], str]):
        super().__init__()
        self.name = name

    def __missing__(self, key: str) -> str:
        return self.name(key)


def shown_value(value: Any) -> str:
    """A value on one short line: numbers to six digits, long text cut, large arrays by shape.

    >>> shown_value(0.1 + 0.2), shown_value("sc"), shown_value(None)
    ('0.3', "'sc'", 'None')
    >>> import numpy as np
    >>> shown_value(np.float32(0.1)), shown_value(np.ones(2)), shown_value(np.ones((40, 3)))
    ('0.1', '[1, 1]', 'an array of shape (40, 3)')
    """
    text = " ".join(_as_text(value).split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if hasattr(value, "shape") and hasattr(value, "tolist"):  # NumPy and JAX, imported or not
        return _array_text(value)
    if isinstance(value, list | tuple):
        # no more than can be shown: a message must not take long for a long list
        first = ", ".join(_as_text(item) for item in value[:MAX_SHOWN])
        return f"[{first}]" if isinstance(value, list) else f"({first})"
    return repr(value)


def _array_text(array: Any) -> str:
    if 0 in array.shape or array.size > 9:  # up to a 3 × 3 tensor
        return f"an array of shape {array.shape}"
    try:
        return _as_text(array.tolist())
    except TypeError:  # an array that JAX traces has no values yet
        return f"an array of shape {array.shape}"
