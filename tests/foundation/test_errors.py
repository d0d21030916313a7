"""Errors as data: worded with any names, placed, copied, and safe for any value."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffdip.foundation.errors import InputError, python_name, shown_value


class NearError(InputError):
    """A subclass, such as the rooms define."""


FULL = NearError(
    "near",
    given=-1.5,
    expected="a field above 0 mT, or {strongest}",
    hint="Give {near} in the unit {{mT}}",
    where=("row 3",),
)


def option(argument):
    return f"--{argument}"


def field(argument):
    return {"near": "Near (mT)", "strongest": "Strongest line"}[argument]


@pytest.mark.parametrize(
    ("name", "near", "strongest"),
    [
        (python_name, "near", "line='strongest'"),
        (option, "--near", "--strongest"),
        (field, "Near (mT)", "Strongest line"),
    ],
)
def test_each_front_end_gives_its_names(name, near, strongest):
    assert FULL.worded(name) == (
        f"row 3: {near} = -1.5: expected a field above 0 mT, or {strongest}. "
        f"Give {near} in the unit {{mT}}"
    )


def test_python_names_are_the_default():
    assert str(FULL) == FULL.worded(python_name)


def test_only_the_parts_that_are_there():
    assert str(InputError("no line")) == "no line"
    assert str(InputError("g", given=0)) == "g = 0"
    assert str(InputError("g", given=None)) == "g = None"
    assert str(InputError("no line", hint="Lower {near}")) == "no line. Lower near"


def test_places_from_the_outermost_inwards():
    placed = FULL.at("sweep.csv").at("archive.zip")
    assert placed.where == ("archive.zip", "sweep.csv", "row 3")
    assert str(placed).startswith("archive.zip: sweep.csv: row 3: near")
    assert FULL.where == ("row 3",)
    assert type(placed) is NearError


@pytest.mark.parametrize("text", ["{near}", "{", "}{", "{0}", "100 % {x!r:>10}", "{{}}"])
def test_braces_of_a_user_survive(text):
    error = InputError(f"column {text}", given=text, expected="a number").at(f"{text}.csv")
    assert str(error) == f"{text}.csv: column {text} = {text!r}: expected a number"


def test_always_one_line():
    error = InputError("a\nb", given="c\nd", expected="e\n f", hint="g\r\nh").at("i\nj")
    assert len(str(error).splitlines()) == 1


def parts(error):
    return error.what, error.given, error.expected, error.hint, error.where


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
@pytest.mark.parametrize("error", [FULL, InputError("no line", hint="Lower {near}")])
def test_copies_are_equal_in_all_parts(error, duplicate):
    same = duplicate(error)
    assert type(same) is type(error)
    assert parts(same) == parts(error)
    assert str(same) == str(error)


def test_it_is_a_value_error():
    with pytest.raises(ValueError, match="near"):
        raise FULL


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (np.float64(0.25), "0.25"),
        (np.float32(0.1), "0.1"),
        (np.int32(3), "3"),
        (np.bool_(True), "True"),
        (np.str_("sc"), "'sc'"),
        (jnp.float32(0.1), "0.1"),
        (jnp.arange(3), "[0, 1, 2]"),
        (np.array(2.5), "2.5"),
        (np.array([0.1, np.nan]), "[0.1, nan]"),
        (np.eye(2), "[[1, 0], [0, 1]]"),
        (np.zeros((0, 3)), "an array of shape (0, 3)"),
        (np.zeros(1_000_000), "an array of shape (1000000,)"),
        ([0.1 + 0.2, 1], "[0.3, 1]"),
        ((1, None), "(1, None)"),
        ("a\nb", r"'a\nb'"),
        (float("inf"), "inf"),
    ],
)
def test_values_are_short(value, text):
    assert shown_value(value) == text


@pytest.mark.parametrize("value", ["x" * 1000, list(range(1000)), {"a": ["y"] * 100}])
def test_long_values_are_cut(value):
    text = shown_value(value)
    assert len(text) <= 80
    assert text.endswith("...")


def test_a_traced_array_is_shown_by_its_shape():
    shown = []
    jax.make_jaxpr(lambda x: shown.append(shown_value(x)))(jnp.zeros(2))
    assert shown == ["an array of shape (2,)"]
