"""What an analysis of spectra leaves to choose: from a TOML file, checked, and back into one."""

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..foundation.errors import InputError
from ..io.input_files import read_regular
from ..spectra.definitions import DEFINITIONS, SHAPES


NAME = "diffdip.toml"
"""A file of this name beside the spectra is read where none is given."""

MAX_BYTES = 100_000


class ConfigError(InputError):
    """A file of choices that cannot be used. The message is one line and names file and key."""


@dataclass(frozen=True)
class Choices:
    """How spectra are analysed, in mT, degrees and GHz; `None` is what was not chosen.

    `definition`, `baseline`, `phase_deg` and `smoothing` as for `line_positions`, of whose lines
    `near_mT` or `strongest` chooses one; `frequency_GHz` is for angles whose files do not state
    it; `direct` is the shape with which all spectra are fitted at once, beside the positions. In a
    file "none" stands for `None`.

    Raises `ValueError`, which names the element, for what cannot be meant.
    """

    definition: str = "zero-crossing"
    near_mT: float | None = None
    strongest: bool = False
    baseline: int | None = None
    phase_deg: float | None = None
    smoothing: int = 0
    g: float = 2.0
    frequency_GHz: float | None = None
    convention: str = "paper"
    direct: str | None = None
    skip_damaged: bool = False

    def __post_init__(self):
        for name, value in self.given().items():
            check_choice(name, value)
        if self.strongest and self.near_mT is not None:
            raise ValueError(f"strongest with near_mT = {self.near_mT:g}: expected one of them")

    def given(self) -> dict[str, Any]:
        """Those that are chosen, by name.

        >>> Choices().given()["definition"]
        'zero-crossing'
        """
        return {name: value for name, value in asdict(self).items() if value is not None}


NONE = "none"
"""Stands in a file, or for an option, where nothing is chosen."""

MAY_BE_NONE = tuple(field.name for field in fields(Choices) if field.default is None)


@dataclass(frozen=True)
class _Rule:
    """What a value may be: its types, what else must hold, and both in words."""

    types: tuple[type, ...]
    holds: Callable[[Any], bool]
    expected: str

    def accepts(self, value: Any) -> bool:
        # True is an int to Python, and is meant as no number
        known = type(value) in self.types
        return known and self.holds(value)


_NUMBER = (int, float)
_POSITIVE = _Rule(_NUMBER, lambda x: 0 < x < math.inf, "a number above 0")
_FINITE = _Rule(_NUMBER, math.isfinite, "a finite number")
_TRUTH = _Rule((bool,), lambda _: True, "true or false")


def _one_of(*names: str) -> _Rule:
    return _Rule((str,), lambda name: name in names, "one of " + ", ".join(names))


RULES = {
    "definition": _one_of(*DEFINITIONS),
    "near_mT": _POSITIVE,
    "strongest": _TRUTH,
    "baseline": _Rule((int,), lambda n: 0 <= n <= 5, "a whole number from 0 to 5"),
    "phase_deg": _FINITE,
    "smoothing": _Rule(
        (int,), lambda n: n == 0 or (n >= 5 and n % 2 == 1), "an odd whole number from 5, or 0"
    ),
    "g": _POSITIVE,
    "frequency_GHz": _POSITIVE,
    "convention": _one_of("paper", "physical"),
    "direct": _one_of(*SHAPES),
    "skip_damaged": _TRUTH,
}


def check_choice(name: str, value: Any, shown: str = "") -> None:
    """Raise `ValueError` that names the choice (as `shown`), its value and what is expected.

    >>> check_choice("smoothing", 4)
    Traceback (most recent call last):
    ValueError: smoothing = 4: expected an odd whole number from 5, or 0
    """
    rule = RULES[name]
    if not rule.accepts(value):
        expected = rule.expected + f', or "{NONE}"' * (name in MAY_BE_NONE)
        raise ValueError(f"{shown or name} = {_toml(value)}: expected {expected}")


def meant(name: str, value: Any) -> Any:
    """The value of a choice that a file or an option states: `None` for "none" where it may be.

    >>> meant("baseline", "none"), meant("baseline", 1), meant("definition", "none")
    (None, 1, 'none')
    """
    return None if value == NONE and name in MAY_BE_NONE else value


def read_choices(path: Path) -> dict[str, Any]:
    """The choices that a TOML file states, by name. Raises `ConfigError`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "diffdip.toml")
    ...     _ = path.write_text("definition = 'midpoint'\\nbaseline = 1\\n")
    ...     read_choices(path)
    {'definition': 'midpoint', 'baseline': 1}
    """
    content = read_regular(path, MAX_BYTES, ConfigError, "a file of choices")
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: more than {MAX_BYTES} bytes; expected a few choices")
    try:
        found = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from None
    unknown = [name for name in found if name not in RULES]
    if unknown:
        expected = ", ".join(RULES)
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}; expected {expected}")
    try:
        for name, value in found.items():
            found[name] = meant(name, value)
            if found[name] is None:
                continue
            check_choice(name, value)
            if RULES[name].types == _NUMBER:
                found[name] = float(value)
        Choices(**found)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    return found


def resolved(of_file: Mapping[str, Any], of_options: Mapping[str, Any]) -> Choices:
    """All choices: the defaults, over them those of a file, over them those of the command line.

    Raises `ValueError` where what comes together does not fit.

    >>> resolved({"strongest": True, "g": 2.1}, {"near_mT": 338.0}).given()["strongest"]
    False
    """
    lines = ("near_mT", "strongest")
    replaced = lines if any(of_options.get(name) for name in lines) else ()
    kept = {name: value for name, value in of_file.items() if name not in replaced}
    return Choices(**{**kept, **of_options})


def choices_toml(choices: Choices) -> bytes:
    """A TOML file of all choices, which `read_choices` reads.

    >>> print(choices_toml(Choices(near_mT=338.0)).decode().splitlines()[1:3])
    ['definition = "zero-crossing"', 'near_mT = 338.0']
    """
    from ..foundation.version import __version__

    lines = [f"{name} = {_toml(value)}" for name, value in choices.given().items()]
    return "\n".join([f"# diffdip {__version__}: diffdip analyze --config", *lines, ""]).encode()


def _toml(value: Any) -> str:
    """A value as TOML writes it, or on one line whatever else it is."""
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return " ".join(repr(value).split())
