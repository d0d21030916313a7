"""The report of an analysis as one page of HTML that needs nothing else, not even a network."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ..foundation.units import angle_text
from ..spectra.definitions import SHAPES
from .parameter_text import heading, interval_text, number, value_text


if TYPE_CHECKING:
    from .analysis import Analysis

DEFINITIONS = {
    "zero-crossing": "zero crossing of the derivative, of a straight line through the samples "
    "about it",
    "midpoint": "half way between parabolas through the two extrema",
    "lorentzian": "centre of a fitted Lorentzian, with dispersion and the line at negative field",
    "gaussian": "centre of a fitted Gaussian, with dispersion and the line at negative field",
    "pseudo-voigt": "centre of a fitted sum of a Lorentzian and a Gaussian, with dispersion and "
    "the line at negative field",
}

ENERGIES = {
    "paper": "pairs counted twice, free energy per M of −H·u − ½ µ0M u·D·u",
    "physical": "pairs counted once, free energy per M of −H·u + ½ µ0M u·D·u",
}

CAPTIONS = {
    "spectra": "The spectra, all at one scale, each at the height of its angle. Dots: the "
    "positions taken.",
    "map": "Signal over field and angle, with the positions taken. Sweeps at one angle share its "
    "height.",
    "direct": "The spectra, and dashed the model that was fitted to all of them at once.",
    "fit": "Resonance field by angle with the fitted curve, what the fit leaves, and both as a "
    "polar plot. Bars are standard errors.",
    "correlation": "Correlation of the fitted parameters.",
    "branches": "All resonances of the fitted model, and the angle by which the magnetization lags "
    "behind the field.",
}

STYLE = """
body { font: 1rem/1.45 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { margin-bottom: 0.2rem; overflow-wrap: anywhere; }
h2 { margin-top: 2.2rem; font-size: 1.2rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: 0.8rem 0; }
th, td { text-align: left; padding: 0.2rem 1.2rem 0.2rem 0; vertical-align: top;
  border-bottom: 1px solid #eee; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
th { font-weight: 600; }
.numbers th, .numbers td { white-space: nowrap; }
.result td { font-size: 1.1rem; }
.doubts { background: #fff6e5; border-left: 4px solid #e69f00; padding: 0.5rem 1rem 0.5rem 2rem; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 1rem 0; max-width: 100%; }
img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: 0.9rem; max-width: 40rem; }
@media print { html { font-size: 75%; } body { margin: 0; padding: 0; }
  h2 { break-after: avoid; } tr, figure { break-inside: avoid; } .row { flex-wrap: nowrap; } }
"""

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
"""

RESULT_HEADS = ("value ± standard error", "68 %", "95 %")

DEFINITION_HEADS = ("position", "A (mT)", "B (mT)", "C (mT)", "rms (mT)")

DIRECT_HEADS = ("", "from positions", "all spectra at once", "apart, in standard errors")

PIXELS_PER_INCH = 110
PICTURE_DPI = 300

MOST_DECIMALS = 8
"""Of a number in mT: what is less is rounding."""


def report_page(
    analysis: "Analysis", pictures: Mapping[str, bytes], document: Mapping[str, Any]
) -> bytes:
    """The page; `pictures` are PNG by the names of the captions, `document` is that of JSON.

    All that comes from files is escaped.
    """
    title = escape(analysis.name)
    parts = [
        f"{HEAD}<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{title}</h1>\n<p>{escape(summary(analysis))}</p>",
        _section("Anisotropy fields", _result(document) + _doubts(analysis)),
        _section("Fit", _figure("fit", pictures) + _pair(pictures, "branches", "correlation")),
        _section("Spectra", _pair(pictures, "spectra", "map")),
        _section("By other definitions of a position", _definitions(document)),
        *_direct(document, pictures),
        _section("What was assumed", _table((), assumptions(analysis))),
        _section("Positions", _positions(analysis)),
        _section("Instrument", _instrument(analysis)),
        _section("Choices", _choices(analysis)),
        _section("Versions", _versions(document)),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts).encode(errors="replace")


def summary(analysis: "Analysis") -> str:
    """One line on the spectra and where they are from."""
    first, last = np.degrees(analysis.positions.angle)[[0, -1]]
    attributes = analysis.spectra.attrs
    origin = [str(attributes[name]) for name in ("format", "source") if attributes.get(name)]
    count = len(analysis.positions.angle)
    rotation = f"{count} spectra from {angle_text(first)} to {angle_text(last)}°"
    return ", ".join([rotation, *origin])


def _result(document: Mapping[str, Any]) -> str:
    table = _table(("", *RESULT_HEADS), result_rows(document["fit"]), "result numbers")
    return f"{table}<p>{escape(result_sentence(document))}</p>"


def result_rows(fit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Name and `RESULT_HEADS` of each free parameter of a fit's document."""
    return [
        (heading(name), value_text(entry), interval_text(entry), interval_text(entry, "95"))
        for name, entry in fit["parameters"].items()
        if entry["free"]
    ]


def result_sentence(document: Mapping[str, Any]) -> str:
    """How well the fit describes the positions, and how far the magnetization lags."""
    fit, lag = document["fit"], document["largest_lag_deg"]
    sentence = (
        f"{fit['convention']} convention; {fit['n_points']} positions, rms of the residuals "
        f"{number(fit['rms_mT'])} mT, chi²/dof {number(fit['reduced_chi2'])}."
    )
    if np.isfinite(lag):
        sentence += f" The magnetization lags by up to {lag:.2g}° behind the field."
    return sentence


def _definitions(document: Mapping[str, Any]) -> str:
    table = _table(DEFINITION_HEADS, definition_rows(document), "numbers")
    return table + "".join(f"<p>{escape(note)}</p>" for note in definition_notes(document))


def definition_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """`DEFINITION_HEADS` of each definition of a position, the chosen one first."""
    return [
        (name, *("-" for _ in DEFINITION_HEADS[1:]))
        if "refused" in entry
        else (name, *map(value_text, entry["parameters"].values()), number(entry["rms_mT"]))
        for name, entry in document["by_definition"].items()
    ]


def definition_notes(document: Mapping[str, Any]) -> list[str]:
    """What such a table means, and why rows in it are empty."""
    entries = document["by_definition"].items()
    refused = [f"{name}: {entry['refused']}" for name, entry in entries if "refused" in entry]
    return [
        "The first is the one chosen. Of a line that is not symmetric these differ, and so may the "
        "symmetry that is found.",
        *refused,
    ]


def _direct(document: Mapping[str, Any], pictures: Mapping[str, bytes]) -> list[str]:
    """The section on the fit of all spectra, if there is one."""
    if document["direct"] is None:
        return []
    table = _table(DIRECT_HEADS, direct_rows(document), "numbers")
    note = f"<p>{escape(direct_sentence(document['direct']))}</p>"
    return [_section("All spectra at once", table + note + _figure("direct", pictures))]


def direct_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """`DIRECT_HEADS` of each parameter of a fit of all spectra that has a meaning of its own."""
    rows = []
    of_positions = document["fit"]["parameters"]
    for name, entry in document["direct"]["parameters"].items():
        if name.startswith("ln_width"):
            continue
        other = of_positions.get(name)
        apart = ""
        if other is not None and entry["standard_error"] and other["standard_error"]:
            error = np.hypot(entry["standard_error"], other["standard_error"])
            apart = f"{abs(entry['value'] - other['value']) / error:.1f}"
        rows.append(
            (heading(name), "" if other is None else value_text(other), value_text(entry), apart)
        )
    return rows


def direct_sentence(direct: Mapping[str, Any]) -> str:
    """What was fitted to all spectra."""
    width, order = direct["width_mT"], direct["baseline"]
    baseline = "no baseline" if order is None else f"a baseline of order {order} for each angle"
    return (
        f"{direct['shape']} lines of one fitted phase and {baseline}; full width at half maximum "
        f"{number(width['min'])} to {number(width['max'])} mT, by cos 2α and sin 2α."
    )


def _doubts(analysis: "Analysis") -> str:
    if not analysis.doubts:
        return "<p>Nothing doubtful was found.</p>"
    return f'<ul class="doubts">{_each("li", [flag.message for flag in analysis.doubts])}</ul>'


def assumptions(analysis: "Analysis") -> list[tuple[str, str]]:
    """What was assumed on the way from spectra to A, B, C: subject and words."""
    choices, settings = analysis.choices, analysis.positions.settings
    line = {"only": "the only one of each spectrum", "strongest": "the strongest of each angle"}
    near = f"followed from the one nearest to {choices.near_mT} mT at the first angle"
    baseline = settings["baseline"]
    fitted = choices.definition in SHAPES
    polynomial = f"polynomial of order {baseline}, " + ("fitted" if fitted else "taken off")
    phase = settings["phase_deg"]
    weights = "1/σ², σ from the noise of each spectrum"
    if analysis.positions.errors is None:
        weights = "all equal: the spectra have no noise"
    return [
        ("Position of a line", DEFINITIONS[choices.definition]),
        ("Line", line.get(settings.get("line", ""), near)),
        ("Baseline", "none" if baseline is None else polynomial),
        ("Phase", phase if phase == "fitted" else f"{phase:g}°"),
        ("Smoothing", f"over {choices.smoothing} samples" if choices.smoothing else "none"),
        ("Weights", weights),
        ("Model", "A, B, C in the plane of rotation, moments parallel, no damping"),
        ("Convention", f"{choices.convention}: {ENERGIES[choices.convention]}"),
        ("Resonance", "of those with M in the global minimum, the one at the highest field"),
        ("g", f"{choices.g:g}, fixed"),
        ("Frequency", _frequency(analysis)),
    ]


def _frequency(analysis: "Analysis") -> str:
    low, high = analysis.positions.frequency.min() / 1e9, analysis.positions.frequency.max() / 1e9
    lacking = np.isnan(analysis.spectra["frequency"].values)
    origin = "as given" if lacking.all() else "as the files state"
    if lacking.any() and not lacking.all():
        origin += f", as given where they do not ({lacking.sum()} angles)"
    text = f"{low:.7g} GHz" if low == high else f"{low:.7g} to {high:.7g} GHz, that of each angle"
    return f"{text}, {origin}"


def _positions(analysis: "Analysis") -> str:
    positions, fit = analysis.positions, analysis.fit
    sigma, width = 1e3 * positions.sigma, 1e3 * positions.width
    columns = (
        _column(np.degrees(positions.angle), 2),
        _column(1e3 * positions.field, 4),
        _column(sigma, _decimals(sigma, 2)),
        _column(width, _decimals(width, 3)),
        _column(1e3 * fit.residuals, 4, "+"),
        _column(positions.frequency / 1e9, 6),
    )
    heads = ("angle (°)", "field (mT)", "σ (mT)", "width (mT)", "residual (mT)", "frequency (GHz)")
    note = f"<p>Width: {escape(positions.settings['width'])}.</p>"
    return _table(heads, zip(*columns, strict=True), "numbers") + note


def _column(values: np.ndarray, decimals: int, sign: str = "") -> list[str]:
    """Numbers with the same decimals, a dash for what is not known."""
    form = f"{{:{sign}.{decimals}f}}"
    return [
        form.format(round(value, decimals) + 0.0).replace("-", "−") if np.isfinite(value) else "-"
        for value in values.tolist()
    ]


def _decimals(values: np.ndarray, digits: int) -> int:
    """Decimals that show so many digits of the smallest value that is not zero."""
    known = values[np.isfinite(values) & (values > 0)]
    if not known.size:
        return 0
    return int(np.clip(digits - 1 - np.floor(np.log10(known.min())), 0, MOST_DECIMALS))


def _instrument(analysis: "Analysis") -> str:
    if not analysis.instrument:
        return "<p>The files say nothing of the instrument that is the same in all.</p>"
    return "<p>As stated in all files.</p>" + _table((), analysis.instrument.items())


def _choices(analysis: "Analysis") -> str:
    choices = analysis.choices.given().items()
    return (
        _table((), ((name, str(value)) for name, value in choices))
        + "<p>These choices are in config.toml; <code>diffdip analyze … --config config.toml</code>"
        " repeats the analysis.</p>"
    )


def _versions(document: Mapping[str, Any]) -> str:
    return _table((), {"diffdip": document["diffdip"], **document["versions"]}.items())


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    head = f"<tr>{_each('th', heads)}</tr>\n" if heads else ""
    body = "\n".join(f"<tr>{_each('td', row)}</tr>" for row in rows)
    return f'<table class="{kind}">\n{head}{body}\n</table>'


def _each(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _pair(pictures: Mapping[str, bytes], *names: str) -> str:
    return f'<div class="row">{"".join(_figure(name, pictures) for name in names)}</div>'


def _figure(name: str, pictures: Mapping[str, bytes]) -> str:
    data = base64.b64encode(pictures[name]).decode()
    caption = escape(CAPTIONS[name])
    width = round(_png_width(pictures[name]) * PIXELS_PER_INCH / PICTURE_DPI)
    return (
        f'<figure style="width: {width}px">'
        f'<img width="{width}" alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _png_width(data: bytes) -> int:
    return int.from_bytes(data[16:20], "big")
