"""The error for input that cannot be used, as data that each front end words for itself."""

import copy
from collections.abc import Callable
from typing import Any, Final


NOT_GIVEN: Final = object()
"""Stands for `given` where an error is not about one value."""

PYTHON_NAMES: Final = {"strongest": "line='strongest'"}
"""Choices whose Python argument has another name; all others keep theirs."""


def python_name(choice: str) -> str:
    """The name of a choice as an argument of a Python function.

    >>> python_name("strongest"), python_name("near")
    ("line='strongest'", 'near')
    """
    return PYTHON_NAMES.get(choice, choice)


class InputError(ValueError):
    """Something that was given cannot be used.

    The parts stay apart, so that the command line can name an option, Python an argument and the
    app a field. Nothing rewrites the finished sentence.

    Args:
        what: The argument by its Python name, or the subject in words ("no line above the noise").
        given: Its value; left out where the error is not about one value.
        expected: What would have been accepted, without a verb ("a field in mT").
        hint: A sentence without full stop: what to do next.
        where: Places from the outermost inwards ("sweep.csv", "row 3"); see `at`.

    `expected` and `hint` refer to arguments in braces, "{near}"; `worded` fills in the names.

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

    def at(self, place: str) -> "InputError":
        """The same error in a place that contains it: a file, a row, an angle."""
        placed = copy.copy(self)
        placed.where = (place, *self.where)
        return placed

    def worded(self, name: Callable[[str], str] = python_name) -> str:
        """One line; `name` gives what an argument is called where the line is read.

        >>> error = InputError("near", given=3.0, expected="no {strongest} beside it")
        >>> error.worded(lambda argument: f"--{argument}")
        '--near = 3: expected no --strongest beside it'
        """
        known = _Names(name)
        subject = name(self.what)
        if self.given is not NOT_GIVEN:
            subject += f" = {shown_value(self.given)}"
        if self.expected:
            subject += f": expected {self.expected.format_map(known)}"
        if self.hint:
            subject += f". {self.hint.format_map(known)}"
        return " ".join(": ".join([*self.where, subject]).split())

    def __str__(self) -> str:
        return self.worded()


class _Names(dict[str, str]):
    """The name of any argument, for `str.format_map`."""

    def __init__(self, name: Callable[[str], str]):
        super().__init__()
        self.name = name

    def __missing__(self, key: str) -> str:
        return self.name(key)


def shown_value(value: Any) -> str:
    """A value in few words and on one line: numbers to six digits, long text cut.

    >>> shown_value(0.1 + 0.2), shown_value("sc"), shown_value(None)
    ('0.3', "'sc'", 'None')
    """
    if isinstance(value, float):
        return f"{value:g}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
