"""Models of fits as TOML files: terms, starts, bounds, fixed and tied values, axes, the plane.

Nothing in such a file is executed: a tied parameter is a multiple of another one, plus a constant.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from ..fitting.anisotropy_models import Model
from ..fitting.parameter_table import column_name, parameter_kind
from ..fitting.parameters import Free, Parameter, Values
from ..fitting.term_models import TermsModel
from ..foundation.convention import Convention
from ..foundation.errors import InputError
from ..resonance.plane_names import PLANES
from .input_files import all_bytes, as_place


MAX_BYTES = 100_000

SECTIONS = ("terms", "plane", "crystal", "axis", "parameters")

FORMS = "a number, 'free', { start, lower, upper } or { of, times, plus }"


@dataclass(frozen=True)
class ModelFile:
    """A model as read, in SI units.

    Args:
        model: The model.
        plane: Rotation plane by name, or None.
        parameters: Parameters of the model that the file sets.
        g: The g-factor, or None.
        offset: The angle offset, or None.
    """

    model: Model
    plane: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    g: Parameter | None = None
    offset: Parameter | None = None


@dataclass(frozen=True)
class Tie:
    """A parameter that is `times` another one, plus a constant (SI)."""

    of: str
    times: float
    plus: float

    def __call__(self, values: Values) -> Any:
        return self.times * values[self.of] + self.plus


def read_model(path: str | PathLike[str], convention: Convention | str = "paper") -> ModelFile:
    """Read the model of a fit from a TOML file.

        terms = ["thin-film", "cubic", "uniaxial"]
        plane = "xy"

        [crystal]           # Miller indices of the crystal along z and x of the sample
        normal = "001"
        along = "100"

        [axis]              # a fixed axis of a term, instead of the angle phi_u
        uniaxial = "110"

        [parameters]        # with the unit in the name; those that are not here are free
        g = { start = 2.05, lower = 2.0, upper = 2.2 }
        offset_deg = "free"
        Meff_mT = { start = 1200, lower = 0 }
        H1_mT = 50.0
        Hu_mT = { of = "H1_mT", times = 0.5, plus = 0 }

    Args:
        path: The file.
        convention: Of A, B, C of the term "tensor". Default: "paper".

    Returns:
        The model.

    Raises:
        InputError: If the file cannot be used. `where` names the file and the key.
    """
    path = Path(path)
    try:
        data = all_bytes(path, MAX_BYTES, InputError, "a model in TOML")
    except InputError as error:
        raise error.at(as_place(path)) from None
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML ({error})", where=(as_place(path),)) from None
    try:
        return _model(content, convention)
    except InputError as error:
        raise error.at(as_place(path)) from None
    except (TypeError, ValueError, OverflowError) as error:  # a value of another kind
        raise InputError(f"a value of a wrong kind ({error})", where=(as_place(path),)) from None


def _model(content: Mapping[str, Any], convention: Convention | str) -> ModelFile:
    for key in content:
        if key not in SECTIONS:
            raise InputError("key", given=key, expected=f"one of {', '.join(SECTIONS)}")
    terms = content.get("terms")
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise InputError("terms", given=terms, expected='a list such as ["thin-film", "cubic"]')
    plane = content.get("plane")
    if plane is not None and plane not in PLANES:
        raise InputError("plane", given=plane, expected=f"one of {', '.join(PLANES)}")
    crystal = {"normal": "001", "along": "100", **_section(content, "crystal")}
    if set(crystal) != {"normal", "along"}:
        raise InputError("crystal", given=sorted(crystal), expected="the keys normal and along")
    model = TermsModel(
        terms,
        convention,
        (_text(crystal["normal"]), _text(crystal["along"])),
        _section(content, "axis"),
    )
    known = {column_name(name): name for name in (*model.names, "g", "offset")}
    found: dict[str, Parameter] = {}
    for key, value in _section(content, "parameters").items():
        if key not in known:
            raise InputError("parameter", given=key, expected=f"one of {', '.join(known)}")
        found[known[key]] = _parameter(key, known, value)
    for name, value in found.items():
        if isinstance(value, Tie) and isinstance(found.get(value.of), Tie):
            key = column_name(name)
            raise InputError(key, given=f"of {column_name(value.of)}", expected="no tie of a tie")
    g, offset = found.pop("g", None), found.pop("offset", None)
    return ModelFile(model, plane, found, g, offset)


def _section(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name, {})
    if not isinstance(section, dict):
        raise InputError(name, given=section, expected=f"a table [{name}]")
    return section


def _text(indices: Any) -> str:
    """Miller indices as text that JAX can compare."""
    return indices if isinstance(indices, str) else str(list(indices))


def _parameter(key: str, known: Mapping[str, str], value: Any) -> Parameter:
    """A parameter from what the file says, in SI units."""
    factor = parameter_kind(known[key]).factor
    if value == "free":
        return Free()
    if _is_number(value):
        return value / factor
    bounds = isinstance(value, dict) and value and set(value) <= {"start", "lower", "upper"}
    if bounds and all(_is_number(number) for number in value.values()):
        return Free(**{name: number / factor for name, number in value.items()})
    if isinstance(value, dict) and "of" in value and set(value) <= {"of", "times", "plus"}:
        times, plus = value.get("times", 1.0), value.get("plus", 0.0)
        if value["of"] in known and value["of"] != key and _is_number(times) and _is_number(plus):
            other = known[value["of"]]
            return Tie(other, times * parameter_kind(other).factor / factor, plus / factor)
    raise InputError(key, given=value, expected=FORMS)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
