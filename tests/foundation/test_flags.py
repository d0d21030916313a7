"""Doubts as data: a code that programs look at, and a sentence for people."""

import dataclasses
import json
import pickle
import re

import pytest

from diffdip.foundation.flags import CODES, Flag


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_meaning(code):
    assert re.fullmatch(r"[A-Za-z]+(-[A-Za-z]+)*", code)
    assert CODES[code].endswith(".")
    assert Flag(code, "Something.").code == code


@pytest.mark.parametrize("code", ["", "Outlier", "no such code"])
def test_unknown_codes_are_refused(code):
    with pytest.raises(ValueError, match="code"):
        Flag(code, "Something.")


def test_text_and_document_carry_the_message():
    flag = Flag("outlier", "The point at 30° is an outlier.")
    assert str(flag) == flag.message
    document = json.loads(json.dumps(flag.document()))
    assert Flag(**document) == flag


def test_flags_compare_by_value_and_do_not_change():
    flag = Flag("outlier", "One point.")
    assert {flag, Flag("outlier", "One point."), Flag("outlier", "Two points.")} == {
        flag,
        Flag("outlier", "Two points."),
    }
    assert pickle.loads(pickle.dumps(flag)) == flag
    with pytest.raises(dataclasses.FrozenInstanceError):
        flag.code = "misfit"
