"""The claims of the paper, one by one, with our number and a verdict.

Every number is computed when this runs. Most verdicts follow from the number by a rule in the
code. The verdicts on the shape of Hres(angle) are judgements, and their reasons are stated.
`reproduce.py` passes the results of the other experiments. If the script runs by itself, it
computes what it needs.

    python experiments/claims.py --quick --out out
"""

from collections.abc import Mapping, Sequence

import claims_of_crystals
import claims_of_ensembles
import claims_of_moments
import claims_of_one_sample
import collinearity
import dominant_pairs
import figure5
import jax
from claim import VERDICTS, Claim
from script import finish, parser_of, positive

import diffdip
from diffdip.io.writing import json_bytes


SEED = 0

DESCRIPTION = """\
List the claims of the paper, each with our number and a verdict.

Verdicts: agrees; differs; depends (on something that the paper does not state, or true only within
limits); not checkable (needs data that are not published).
"""

EPILOG = """\
Writes claims.json and claims.md. Example:
  python experiments/claims.py --quick --out out
"""


def all_claims(
    ensembles: figure5.Ensembles,
    dominant: Mapping[str, dominant_pairs.Counted] | None = None,
    swept: Sequence[collinearity.Row] = (),
) -> list[Claim]:
    """All claims, from the results of `run` in `figure5`, `dominant_pairs`, `collinearity`."""
    with jax.enable_x64(True):
        return [
            *claims_of_one_sample.tensor(),
            *claims_of_one_sample.curve(),
            claims_of_one_sample.off_plane_elements(ensembles),
            *claims_of_one_sample.published_samples(),
            claims_of_moments.parallel(swept),
            *claims_of_ensembles.distributions(ensembles),
            *claims_of_ensembles.pairs(dominant or {}),
            claims_of_crystals.unpassivated_atoms(),
            *claims_of_crystals.magnetization(),
        ]


def table(rows: Sequence[Claim]) -> str:
    """A Markdown table."""
    lines = ["| claim | source | our result | verdict | reason |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (row.claim, row.source, row.number, f"**{row.verdict}**", row.why)
        # a bar would end the cell
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def files(rows: Sequence[Claim], ensembles: figure5.Ensembles) -> dict[str, bytes]:
    """claims.json and claims.md."""
    some = next(iter(ensembles.values())).settings
    settings = {
        "convention": some["model"]["convention"],
        "seed": some["seed"],
        "n_samples": some["n_samples"],
        "n_crystals": list(dict.fromkeys(key[1] for key in ensembles)),
        "extra_spacing_nm": list(dict.fromkeys(key[0] for key in ensembles)),
    }
    text = (
        "# Claims of the paper\n\n"
        f"diffdip {diffdip.__version__}, convention `{settings['convention']}`, seed "
        f"{settings['seed']}, {settings['n_samples']} samples of each ensemble with n_NC = "
        f'{", ".join(map(str, settings["n_crystals"]))}. The verdict "depends" means: on something '
        f"that the paper does not state, or true only within limits.\n\n{table(rows)}\n"
    )
    document = {
        "diffdip": diffdip.__version__,
        "settings": settings,
        "verdicts": list(VERDICTS),
        "claims": [row._asdict() for row in rows],
    }
    return {"claims.json": json_bytes(document), "claims.md": text.encode()}


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("claims", DESCRIPTION, EPILOG, SEED)
    parser.add_argument("--samples", type=positive, metavar="N", help="samples of each ensemble")
    parser.add_argument(
        "--quick", action="store_true", help=f"{figure5.QUICK_SAMPLES} samples of each ensemble"
    )
    options = parser.parse_args(argv)
    quick = figure5.QUICK_SAMPLES if options.quick else figure5.SAMPLES
    samples = options.samples or quick
    sizes = figure5.QUICK_SIZES if options.quick else figure5.SIZES
    ensembles = figure5.run(sizes, samples, options.seed)
    dominant = dominant_pairs.run(sizes[-1], samples, options.seed)
    swept = collinearity.run_amount(options.quick, options.seed)
    rows = all_claims(ensembles, dominant, swept)
    finish(parser, options, files(rows, ensembles), table(rows))


if __name__ == "__main__":
    main()
