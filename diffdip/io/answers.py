"""What `sensitivity` and `infer` found as files, each number beside its unit."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .results import csv_bytes, json_bytes, made_by


if TYPE_CHECKING:
    from ..sensitivities.inference_result import Inference
    from ..sensitivities.observables import AbstractStatistic
    from ..sensitivities.sensitivity_table import SensitivityTable

UNITS = {
    "diameter": "nm",
    "ligand_mean": "nm",
    "ligand_sd": "nm",
    "extra_below": "nm",
    "bond_length": "nm",
    "extra_spacing": "nm",
    "density": "nm^-3",
    "moment": "muB",
}
"""Units of a model's parameters, in letters that every program reads; others are numbers."""


def parameter_unit(name: str) -> str:
    """Unit of a model's parameter in files and tables, `1` for plain numbers.

    >>> parameter_unit("diameter"), parameter_unit("kappa")
    ('nm', '1')
    """
    return UNITS.get(name, "1")


def statistic_unit(statistic: "AbstractStatistic") -> tuple[str, float]:
    """Unit of a statistic in files and tables, and the factor from SI.

    >>> from diffdip import Magnitude, Quantile
    >>> statistic_unit(Quantile(Magnitude("B")))
    ('mT', 1000.0)
    """
    from ..sensitivities.observables import TailFraction

    return ("1", 1.0) if isinstance(statistic, TailFraction) else ("mT", 1e3)


def sensitivity_files(
    table: "SensitivityTable",
    statistics: Mapping[str, "AbstractStatistic"],
    settings: Mapping[str, Any],
) -> dict[str, bytes]:
    """`sensitivity.json` and `sensitivity.csv`, as bytes by name.

    `statistics` by the names they were asked for by, `settings` the options beyond those that the
    table knows. A row for each statistic and parameter, T and θ in the units beside them.
    """
    names = {statistic.label: (name, statistic) for name, statistic in statistics.items()}
    rows = []
    for row in table:
        name, statistic = names[row.statistic]
        unit, factor = statistic_unit(statistic)
        of = parameter_unit(row.parameter)
        rows.append(
            {
                "statistic": name,
                "label": row.statistic,
                "value": factor * row.value,
                "value_error": factor * row.value_error,
                "unit": unit,
                "parameter": row.parameter,
                "at": float(f"{row.at:.7g}"),  # parameters are float32 by default
                "parameter_unit": of,
                "derivative": factor * row.derivative,
                "derivative_error": factor * row.error,
                "derivative_unit": _ratio(unit, of),
                "dlnT_dlntheta": row.logarithmic,
                "dlnT_dlntheta_error": row.logarithmic_error,
                "method": row.method,
            }
        )
    document = {
        **made_by({**settings, **table.settings}),
        "convention": table.settings["model"]["convention"],
        "rows": rows,
    }
    cells = [list(row.values()) for row in rows]
    return {
        "sensitivity.json": json_bytes(document),
        "sensitivity.csv": csv_bytes(" ".join(rows[0]) if rows else "", cells),
    }


def _ratio(unit: str, of: str) -> str:
    """
    >>> _ratio("mT", "nm"), _ratio("mT", "1"), _ratio("1", "nm^-3"), _ratio("1", "1")
    ('mT/nm', 'mT', '1/nm^-3', '1')
    """
    return unit if of == "1" else f"{unit}/{of}"


def inference_files(
    found: "Inference", source: str, settings: Mapping[str, Any]
) -> dict[str, bytes]:
    """`infer.json` and `infer.csv`, as bytes by name.

    `source` is the file of the measured A and B, `settings` are the options beyond those that the
    result knows. Covariance and information are of the logarithms of the parameters, in `order`.
    """
    rows = [
        {
            "parameter": one.name,
            "value": one.value,
            "unit": parameter_unit(one.name),
            "log_error": one.log_error,
            "low_68": one.interval_68[0],
            "high_68": one.interval_68[1],
            "low_95": one.interval_95[0],
            "high_95": one.interval_95[1],
            "identifiable": int(one.identifiable),
        }
        for one in found.parameters
    ]
    document = {
        **made_by({**settings, **found.settings}),
        "convention": found.settings["model"]["convention"],
        "input": source,
        "parameters": {
            one.name: {
                "value": one.value,
                "unit": parameter_unit(one.name),
                "log_error": one.log_error,
                "interval_68": _interval(one.interval_68),
                "interval_95": _interval(one.interval_95),
                "identifiable": one.identifiable,
            }
            for one in found.parameters
        },
        "order": [one.name for one in found.parameters],
        "log_covariance": found.covariance,
        "log_information": found.information,
        "chi2": found.chi2,
        "dof": found.dof,
        "p_value": found.p_value,
        "notes": [note.document() for note in found.notes],
    }
    cells = [list(row.values()) for row in rows]
    return {
        "infer.json": json_bytes(document),
        "infer.csv": csv_bytes(" ".join(rows[0]), cells),
    }


def _interval(ends: tuple[float, float]) -> list[float] | None:
    """Nothing where it is open to all sides."""
    return list(ends) if math.isfinite(ends[1]) else None
