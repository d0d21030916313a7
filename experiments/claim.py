"""A claim of the paper, with the number found here and a verdict."""

from collections.abc import Sequence
from typing import NamedTuple


VERDICTS = ("agrees", "differs", "depends", "not checkable")


class Claim(NamedTuple):
    """One claim: what the paper says and where, our result, the verdict and its reason.

    `number` is the result as text, `numbers` the same as numbers with units in their names.
    """

    claim: str
    source: str
    number: str
    verdict: str
    why: str
    numbers: dict[str, float]


def judged(condition: bool) -> str:
    return "agrees" if condition else "differs"


def over_rules(conditions: Sequence[bool]) -> str:
    """One verdict over both rules for extra dipoles."""
    return "depends" if len(set(conditions)) > 1 else judged(conditions[0])
