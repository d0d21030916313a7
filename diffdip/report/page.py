"""The report of an analysis as one page of HTML, which needs no other file and no network."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from .analysis import Analysis
from .tables import (
    CAPTIONS,
    DEFINITION_HEADS,
    DIRECT_HEADS,
    RESULT_HEADS,
    assumptions,
    definition_notes,
    definition_rows,
    direct_rows,
    direct_sentence,
    result_rows,
    result_sentence,
    summary,
)


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
<meta name="generator" content="diffdip">
<meta name="viewport" content="width=device-width">
"""

PIXELS_PER_INCH = 110
PICTURE_DPI = 300

MOST_DECIMALS = 8
"""Of a number in mT. The ninth decimal is rounding."""


def report_page(
    analysis: Analysis, pictures: Mapping[str, bytes], document: Mapping[str, Any]
) -> bytes:
    """The page as bytes.

    All text from files is escaped.

    Args:
        analysis: What is reported.
        pictures: PNG by the names of `CAPTIONS`.
        document: From `analysis_document`.
    """
    title = escape(analysis.name)
    parts = [
        f"{HEAD}<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{title}</h1>\n<p>{escape(summary(analysis))}</p>",
        _section("Anisotropy fields", _result(document) + _doubts(analysis)),
        _section("Fit", _figure("fit", pictures) + _pair(pictures, "branches", "correlation")),
        _section("Spectra", _pair(pictures, "spectra", "map")),
        _section("Other definitions of a position", _definitions(document)),
        *_direct(document, pictures),
        _section("Assumptions", _table((), assumptions(analysis))),
        _section("Line positions", _positions(analysis)),
        _section("Instrument", _instrument(analysis)),
        _section("Choices", _choices(analysis)),
        _section("Versions", _versions(document)),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts).encode(errors="replace")


def _result(document: Mapping[str, Any]) -> str:
    """The table of A, B and C, and one sentence on the fit."""
    table = _table(("", *RESULT_HEADS), result_rows(document["fit"]), "result numbers")
    return f"{table}<p>{escape(result_sentence(document))}</p>"


def _definitions(document: Mapping[str, Any]) -> str:
    """The table of all definitions of a position, and what it means."""
    table = _table(DEFINITION_HEADS, definition_rows(document), "numbers")
    return table + "".join(f"<p>{escape(note)}</p>" for note in definition_notes(document))


def _direct(document: Mapping[str, Any], pictures: Mapping[str, bytes]) -> list[str]:
    """The section on the fit of all spectra, if there is one."""
    if document["direct"] is None:
        return []
    table = _table(DIRECT_HEADS, direct_rows(document), "numbers")
    note = f"<p>{escape(direct_sentence(document['direct']))}</p>"
    return [_section("All spectra at once", table + note + _figure("direct", pictures))]


def _doubts(analysis: Analysis) -> str:
    """A list of all doubts."""
    if not analysis.doubts:
        return "<p>No doubts about this result.</p>"
    return f'<ul class="doubts">{_each("li", [flag.message for flag in analysis.doubts])}</ul>'


def _positions(analysis: Analysis) -> str:
    """The table of all line positions."""
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
    """Numbers with the same decimals, and a dash for a missing one."""
    form = f"{{:{sign}.{decimals}f}}"
    return [
        form.format(round(value, decimals) + 0.0).replace("-", "−") if np.isfinite(value) else "-"
        for value in values.tolist()
    ]


def _decimals(values: np.ndarray, digits: int) -> int:
    """How many decimals show this many digits of the smallest value above zero."""
    known = values[np.isfinite(values) & (values > 0)]
    if not known.size:
        return 0
    return int(np.clip(digits - 1 - np.floor(np.log10(known.min())), 0, MOST_DECIMALS))


def _instrument(analysis: Analysis) -> str:
    """What all files state about the instrument."""
    if not analysis.instrument:
        return "<p>No setting of the instrument is the same in all files.</p>"
    return "<p>These settings are the same in all files.</p>" + _table(
        (), analysis.instrument.items()
    )


def _choices(analysis: Analysis) -> str:
    """The choices, and how to repeat the analysis."""
    choices = analysis.choices.given().items()
    return (
        _table((), ((name, str(value)) for name, value in choices))
        + "<p>The file config.toml holds these choices. To repeat the analysis, run "
        "<code>diffdip analyze … --config config.toml</code>.</p>"
    )


def _versions(document: Mapping[str, Any]) -> str:
    """Versions of the program and of its libraries."""
    return _table((), {"diffdip": document["diffdip"], **document["versions"]}.items())


def _section(title: str, body: str) -> str:
    """A heading with what stands below it."""
    return f"<h2>{escape(title)}</h2>\n{body}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of escaped text."""
    head = f"<tr>{_each('th', heads)}</tr>\n" if heads else ""
    body = "\n".join(f"<tr>{_each('td', row)}</tr>" for row in rows)
    classes = f' class="{kind}"' if kind else ""
    return f"<table{classes}>\n{head}{body}\n</table>"


def _each(tag: str, texts: Iterable[str]) -> str:
    """Escaped texts, each in a tag."""
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _pair(pictures: Mapping[str, bytes], *names: str) -> str:
    """Figures side by side."""
    return f'<div class="row">{"".join(_figure(name, pictures) for name in names)}</div>'


def _figure(name: str, pictures: Mapping[str, bytes]) -> str:
    """A picture with its caption, in its size on paper."""
    data = base64.b64encode(pictures[name]).decode()
    caption = escape(CAPTIONS[name])
    width = round(_png_width(pictures[name]) * PIXELS_PER_INCH / PICTURE_DPI)
    return (
        f'<figure style="width: {width}px">'
        f'<img width="{width}" alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _png_width(data: bytes) -> int:
    """The width of a picture in pixels, from the header of its file."""
    return int.from_bytes(data[16:20], "big")
