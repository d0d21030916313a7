"""The choices of an analysis of spectra: checked, read from a TOML file, and written to one."""

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from ..foundation.convention import CONVENTIONS
from ..foundation.errors import InputError
from ..foundation.version import __version__
from ..io.angles import check_pattern, listed_angles
from ..io.input_files import all_bytes, as_place, inside
from ..spectra.definitions import AUTO, DEFINITIONS, ORDERS, SHAPES


NAME: Final = "diffdip.toml"
"""If no file of choices is given, a file of this name beside the spectra is read."""

MAX_BYTES: Final = 100_000


class ConfigError(InputError):
    """A file of choices that cannot be used. `where` begins with its path."""


@dataclass(frozen=True)
class Choices:
    """How spectra are analysed, in mT, degrees and GHz. None means that nothing was chosen.

    Args:
        definition: What the position of a line is: "zero-crossing", "midpoint", "lorentzian",
            "gaussian" or "pseudo-voigt".
        near_mT: Follow the line that is closest to this field at the smallest angle.
        strongest: Take the strongest line of each spectrum.
        baseline: Order of a polynomial baseline, 0 to 5, or "auto" to choose it; none by default.
        phase_deg: Phase that mixes in dispersion. By default a line shape fits it, and the other
            definitions use 0.
        smoothing: Number of data points under a Savitzky–Golay filter, odd and at least 5; 0 for no
            smoothing.
        g: The g-factor, which is fixed.
        frequency_GHz: The microwave frequency at angles whose files do not state it.
        convention: "paper" or "physical".
        direct: Also fit all spectra at once, with this line shape; none by default.
        skip_damaged: Leave out files that cannot be read.
        angles: Angles of the spectra in the order of the names of their files, as first:last:step
            or separated by commas. By default those that files or their names state.
        angle_from: Regular expression whose first group is the angle in the name of a file.

    Raises:
        InputError: For a value that is not allowed. It names the choice.

    >>> Choices(baseline=1).strongest
    False
    """

    definition: str = "zero-crossing"
    near_mT: float | None = None
    strongest: bool = False
    baseline: int | str | None = None
    phase_deg: float | None = None
    smoothing: int = 0
    g: float = 2.0
    frequency_GHz: float | None = None
    convention: str = "paper"
    direct: str | None = None
    skip_damaged: bool = False
    angles: str | None = None
    angle_from: str | None = None

    def __post_init__(self):
        for name, value in self.given().items():
            check_choice(name, value)
        if self.strongest and self.near_mT is not None:
            raise InputError(
                "near_mT",
                given=self.near_mT,
                expected="either a field or the strongest line",
                hint="Leave out one of the two",
            )
        if self.angles is not None and self.angle_from is not None:
            raise InputError("angle_from", given=self.angle_from, expected="no {angles} beside it")

    def given(self) -> dict[str, Any]:
        """All choices that are not None, by name.

        >>> Choices().given()["definition"]
        'zero-crossing'
        """
        return {name: value for name, value in asdict(self).items() if value is not None}


NONE: Final = "none"
"""In a file or as an option: nothing is chosen."""

MAY_BE_NONE: Final = tuple(field.name for field in fields(Choices) if field.default is None)


@dataclass(frozen=True)
class _Rule:
    """The types that a value may have, a further condition, and both in words."""

    types: tuple[type, ...]
    holds: Callable[[Any], bool]
    expected: str

    def accepts(self, value: Any) -> bool:
        """Whether the value is allowed."""
        # not isinstance: True is an int in Python, but `baseline = true` is a mistake
        return type(value) in self.types and self.holds(value)


_NUMBER = (int, float)
_POSITIVE = _Rule(_NUMBER, lambda x: 0 < x < math.inf, "a number above 0")
_FINITE = _Rule(_NUMBER, math.isfinite, "a finite number")
_TRUTH = _Rule((bool,), lambda _: True, "true or false")


def _one_of(*names: str) -> _Rule:
    """A rule for one of several names."""
    return _Rule((str,), lambda name: name in names, "one of " + ", ".join(names))


def _accepts(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    """Whether a text can be parsed."""

    def holds(text: str) -> bool:
        try:
            parse(text)
        except InputError:
            return False
        return True

    return holds


RULES: Final = {
    "definition": _one_of(*DEFINITIONS),
    "near_mT": _POSITIVE,
    "strongest": _TRUTH,
    "baseline": _Rule(
        (int, str), lambda n: n in (*ORDERS, AUTO), "a whole number from 0 to 5, or auto"
    ),
    "phase_deg": _FINITE,
    "smoothing": _Rule(
        (int,), lambda n: n == 0 or (n >= 5 and n % 2 == 1), "an odd number of at least 5, or 0"
    ),
    "g": _POSITIVE,
    "frequency_GHz": _POSITIVE,
    "convention": _one_of(*CONVENTIONS),
    "direct": _one_of(*SHAPES),
    "skip_damaged": _TRUTH,
    "angles": _Rule(
        (str,), _accepts(listed_angles), "first:last:step, such as 0:180:10, or a list"
    ),
    "angle_from": _Rule((str,), _accepts(check_pattern), "a regular expression such as (\\d+)deg"),
}


def check_choice(name: str, value: Any) -> None:
    """Raise `InputError` for a value that a choice does not allow.

    Its `what` is the name of the choice. The word {none} in `expected` stands for what a front end
    calls no choice.

    >>> check_choice("smoothing", 4)
    Traceback (most recent call last):
    diffdip.foundation.errors.InputError: smoothing = 4: expected an odd number of at least 5, or 0
    """
    rule = RULES[name]
    if not rule.accepts(value):
        expected = rule.expected + ", or {none}" * (name in MAY_BE_NONE)
        raise InputError(name, given=value, expected=expected)


def none_as_unset(name: str, value: Any) -> Any:
    """The value of a choice from a file or an option, with None for "none" if that is allowed.

    >>> none_as_unset("baseline", "none"), none_as_unset("definition", "none")
    (None, 'none')
    """
    return None if value == NONE and name in MAY_BE_NONE else value


def read_choices(path: Path, name: str | None = None) -> dict[str, Any]:
    """The choices that a TOML file states, by name.

    Args:
        path: The file.
        name: What errors call it, by default its path.

    Raises:
        ConfigError: For a file that cannot be read, an unknown key or a value that is not allowed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "diffdip.toml")
    ...     _ = path.write_text("definition = 'midpoint'\\nbaseline = 1\\n")
    ...     read_choices(path)
    {'definition': 'midpoint', 'baseline': 1}
    """
    with inside(as_place(path) if name is None else name):
        return _checked(all_bytes(path, MAX_BYTES, ConfigError, "a file of choices"))


def _checked(content: bytes) -> dict[str, Any]:
    """The choices in the content of a TOML file. Raises `ConfigError`."""
    try:
        found = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        expected = "lines such as baseline = 1"
        raise ConfigError(f"not TOML: {error}", expected=expected) from None
    unknown = [key for key in found if key not in RULES]
    if unknown:
        raise ConfigError("key", given=unknown[0], expected="one of " + ", ".join(RULES))
    try:
        for key, value in found.items():
            found[key] = none_as_unset(key, value)
            if found[key] is None:
                continue
            check_choice(key, value)
            if RULES[key].types == _NUMBER:
                found[key] = float(value)
        Choices(**found)
    except InputError as error:
        raise error.as_category(ConfigError) from None
    return found


def resolved(of_file: Mapping[str, Any], of_options: Mapping[str, Any]) -> Choices:
    """The defaults, overridden by a file, overridden by the options of the command line.

    An option that selects a line replaces the file's selection of a line, whichever it is. Raises
    `InputError` for options that contradict each other.

    >>> resolved({"strongest": True, "g": 2.1}, {"near_mT": 338.0}).given()["strongest"]
    False
    """
    lines = ("near_mT", "strongest")
    replaced = lines if any(of_options.get(name) for name in lines) else ()
    kept = {name: value for name, value in of_file.items() if name not in replaced}
    return Choices(**{**kept, **of_options})


def choices_toml(choices: Choices) -> bytes:
    """The choices as a TOML file, which `read_choices` reads.

    >>> print(choices_toml(Choices(near_mT=338.0)).decode().splitlines()[1:3])
    ['definition = "zero-crossing"', 'near_mT = 338.0']
    """
    lines = [f"{name} = {_toml(value)}" for name, value in choices.given().items()]
    return "\n".join([f"# diffdip {__version__}: diffdip analyze --config", *lines, ""]).encode()


def _toml(value: Any) -> str:
    """A value as TOML writes it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else repr(value)
