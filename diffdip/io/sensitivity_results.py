"""Results of `sensitivity` and `infer` as files, each number beside its unit."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..ensembles.model_parameters import ALL
from .writing import csv_bytes, json_bytes, made_by


if TYPE_CHECKING:
    from ..sensitivities.inference_result import Inference
    from ..sensitivities.observables import AbstractStatistic
    from ..sensitivities.sensitivity_table import SensitivityTable


def parameter_unit(name: str) -> str:
    """The unit of a parameter of a model in files, "1" for plain numbers.

    >>> parameter_unit("density"), parameter_unit("kappa")
    ('nm^-3', '1')
    """
    return ALL[name].ascii_unit if name in ALL else "1"


def statistic_unit(statistic: "AbstractStatistic") -> tuple[str, float]:
    """The unit of a statistic in files and tables, and the factor from SI to it.

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
    """The files of a table of sensitivities: `sensitivity.json` and `sensitivity.csv`.

    There is one row for each statistic T and parameter θ, with the units of both.

    Args:
        table: The sensitivities.
        statistics: The statistics of the table by the names that the user gave them.
        settings: Options beyond those in `table.settings`; they go into the JSON file.

    Returns:
        Contents by file name.
    """
    names = {statistic.label: (name, statistic) for name, statistic in statistics.items()}
    rows = []
    for row in table:
        name, statistic = names[row.statistic]
        unit, factor = statistic_unit(statistic)
        parameter = parameter_unit(row.parameter)
        rows.append(
            {
                "statistic": name,
                "label": row.statistic,
                "value": factor * row.value,
                "value_error": factor * row.value_error,
                "unit": unit,
                "parameter": row.parameter,
                "at": float(f"{row.at:.7g}"),  # parameters are float32 by default
                "parameter_unit": parameter,
                "derivative": factor * row.derivative,
                "derivative_error": factor * row.error,
                "derivative_unit": _ratio(unit, parameter),
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


def _ratio(unit: str, parameter: str) -> str:
    """The unit of a derivative.

    >>> _ratio("mT", "nm"), _ratio("mT", "1"), _ratio("1", "nm^-3"), _ratio("1", "1")
    ('mT/nm', 'mT', '1/nm^-3', '1')
    """
    return unit if parameter == "1" else f"{unit}/{parameter}"


def inference_files(
    found: "Inference", source: str, settings: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of an inference: `infer.json` and `infer.csv`.

    Covariance and information belong to the logarithms of the parameters, in `order`.

    Args:
        found: The inferred parameters.
        source: The file of the measured A and B.
        settings: Options beyond those in `found.settings`; they go into the JSON file.

    Returns:
        Contents by file name.
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
    """The ends of an interval; None where it is open on all sides."""
    return list(ends) if math.isfinite(ends[1]) else None
