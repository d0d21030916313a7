"""Angles as goniometers and people write them: in names of files, in lists, just below 360°."""

import re
from dataclasses import dataclass

import numpy as np

from ..foundation.errors import InputError


_NUMBER = r"(?P<angle>(?:(?<![^\W_])[-−+])?\d+(?:[.,]\d+)?)"
_IN_NAME = (
    re.compile(_NUMBER + r"[ _]?(?:°|º|degrees?|deg|dg|grad)(?![^\W\d_])", re.IGNORECASE),
    re.compile(
        r"(?:angle|winkel|(?<![^\W\d_])(?:alpha|phi|theta|gon|rot))[ _=]*" + _NUMBER, re.IGNORECASE
    ),
    re.compile(r"\A" + _NUMBER + r"\Z"),
)
_OTHER_ANGLE = re.compile(
    r"(?<![^\W\d_])(?:beta|gamma|psi|chi|omega|kappa|tilt|azimuth|polar|elevation)[ _=-]*"
    + _NUMBER,
    re.IGNORECASE,
)
"""A number that may be an angle of another axis, which makes the first one ambiguous."""

_BEFORE = re.compile(
    r"(?:(?<!\d)\d{1,3}[-_.,pde ]?|(?<![^\W\d_])(?:[mpn]|minus|neg|plus|pos)[-_ ]?)\Z",
    re.IGNORECASE,
)
"""Just before a number: other digits with a mark that may be decimal, or a letter for a sign."""

_AFTER = re.compile(r"\A(?:[_.,p-]?\d|[ _-]?(?:K|C|F|min|mT|G|GHz|dB|mW)(?![^\W\d_]))")
"""Just after a number without a unit: more digits, or another unit."""

_AFTER_UNIT = re.compile(r"\A(?:\d|[ _-]?[CKF](?![^\W\d_]))")
"""Just after "deg": more digits, or a temperature."""

LONGEST = 255
"""Only so much of a name is searched."""

MOST_ANGLES = 10_000

TURN = 360.0

REMEDY = (
    "Rename the files, for example film_10deg, or give {angle_from} with a regular expression for "
    "the angle in a name, or {angles} such as 0:180:10"
)
"""What to do if names do not give the angles."""


@dataclass(frozen=True)
class NamedAngle:
    """An angle in degrees, and the part of a name that states it."""

    degrees: float
    part: str


def angle_in_name(stem: str) -> NamedAngle | None:
    """The angle in the name of a file (without its ending), or None.

    It is a number before `deg`, `dg` or `°`, a number after `angle`, `alpha`, `phi`, `theta`, `gon`
    or `rot`, or the whole name. Raises `InputError` if a name has two of them, or one beside marks
    that may belong to it: `2p5deg` may be 2.5°, `m30deg` −30°, `295deg_C` a temperature. Angles of
    other axes count as a second one: `phi30_psi0`.

    >>> angle_in_name("film_10deg"), angle_in_name("film_2")
    (NamedAngle(degrees=10.0, part='10deg'), None)
    >>> angle_in_name("angle_-7.5").degrees, angle_in_name("045").degrees
    (-7.5, 45.0)
    """
    stem = stem[:LONGEST]
    spans: list[tuple[int, int]] = []
    found: list[NamedAngle] = []
    doubtful = False
    for pattern in _IN_NAME:
        for match in pattern.finditer(stem):
            start, end = match.span("angle")
            if any(start < other[1] and end > other[0] for other in spans):
                continue
            if match[0] == stem == match["angle"] and abs(_number(stem)) > TURN:
                continue  # a name of mere digits is a date or a number
            spans.append((start, end))
            found.append(NamedAngle(_number(match["angle"]), match[0]))
            after = _AFTER if match.end() == end else _AFTER_UNIT
            doubtful |= _BEFORE.search(stem[:start]) is not None
            doubtful |= after.match(stem[match.end() :]) is not None
    if found:
        found += [
            NamedAngle(_number(one["angle"]), one[0])
            for one in _OTHER_ANGLE.finditer(stem)
            if not any(one.start() < end and one.end() > start for start, end in spans)
        ]
    if doubtful or len(found) > 1:
        candidates = ", ".join(f"{one.degrees:g}° from {one.part!r}" for one in found[:5])
        raise InputError(
            f"the angle in the name {stem!r} is ambiguous ({candidates})",
            expected="one number with nothing beside it that may belong to it",
            hint=REMEDY,
        )
    return found[0] if found else None


def angle_by_pattern(stem: str, pattern: str) -> NamedAngle:
    """The angle where a regular expression matches in a name: its first group, or the whole match.

    There, `p` and `_` stand for a decimal point and `m` or `n` before the number for a minus.
    Raises `InputError`.

    >>> angle_by_pattern("film_m12p5deg_300K", r"([mp\\d]+)deg")
    NamedAngle(degrees=-12.5, part='m12p5')
    """
    match = re.search(pattern, stem[:LONGEST])
    text = "" if match is None else (match[1] if match.re.groups else match[0]) or ""
    plain = re.sub(r"\A[mn](?=\d)", "-", text.strip(), flags=re.IGNORECASE)
    plain = re.sub(r"(?<=\d)[p_,](?=\d)", ".", plain.replace("−", "-"), flags=re.IGNORECASE)
    try:
        return NamedAngle(float(plain), text)
    except ValueError:
        raise InputError(
            f"{text!r} in the name {stem!r}" if text else f"no angle in the name {stem!r}",
            expected="a number of degrees where {angle_from} matches",
            hint="Change the regular expression, or leave the file out",
        ) from None


def check_pattern(pattern: str) -> str:
    """A regular expression as given. Raises `InputError` for one that cannot be used.

    >>> check_pattern(r"(\\d+)deg")
    '(\\\\d+)deg'
    """
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        raise InputError(
            "angle_from",
            given=pattern,
            expected="a regular expression such as (\\d+)deg",
        ) from None
    return pattern


def listed_angles(text: str) -> list[float]:
    """Angles in degrees from `first:last:step` or a list with commas. Raises `InputError`.

    >>> listed_angles("0:90:30"), listed_angles("0,45")
    ([0.0, 30.0, 60.0, 90.0], [0.0, 45.0])
    """
    fault = InputError(
        "angles",
        given=text,
        expected="first:last:step in degrees, such as 0:180:10, or angles separated by commas",
    )
    try:
        if ":" not in text:
            angles = [float(part) for part in text.split(",")]
        else:
            first, last, step = (float(part) for part in text.split(":"))
            steps = (last - first) / step
            if not 0 <= steps <= MOST_ANGLES or abs(steps - round(steps)) > 1e-6:
                raise fault
            angles = [first + i * step for i in range(round(steps) + 1)]
    except (ValueError, ZeroDivisionError):
        raise fault from None
    if not angles or not np.isfinite(angles).all():
        raise fault
    return angles


def same_direction(one: float, other: float, within: float = 1.0) -> bool:
    """Whether two angles in degrees are equal up to full turns.

    >>> same_direction(359.99, 0.0), same_direction(10.0, 30.0)
    (True, False)
    """
    return abs((one - other + 180) % 360 - 180) <= within


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers in names by their value.

    >>> sorted(["s10", "s9", "s1"], key=natural_order)
    ['s1', 's9', 's10']
    """
    parts = re.split(r"(\d+)", name[:LONGEST].casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def near_full_turn(degrees: np.ndarray) -> np.ndarray:
    """Which angles are just below 360° in a sweep over half a turn.

    Such an angle means a small negative one.

    >>> near_full_turn(np.array([359.99, 45.0, 90.0]))
    array([ True, False, False])
    """
    high = degrees > 350
    rest = degrees[~high]
    if not rest.size or rest.max() > 185:
        return np.zeros_like(high)
    return high


def _number(text: str) -> float:
    return float(text.replace(",", ".").replace("−", "-"))
