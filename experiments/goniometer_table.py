"""Make the bundled example table from the raw sweeps of a Magnettech goniometer.

Each XML file holds one field sweep at one angle: the derivative of one narrow absorption line.
The resonance field is the zero crossing of the recorded signal, as in `diffdip.zero_crossing`. No
baseline is subtracted.

Fields are written as measured, each with the microwave frequency of its file. The frequency drifts
by 1.1 MHz during the series. This shifts the line by 0.04 mT; in all the line moves by 0.13 mT.

    python experiments/goniometer_table.py FOLDER [--out FILE]
"""

import argparse
from pathlib import Path

from diffdip import zero_crossing
from diffdip.foundation.errors import InputError
from diffdip.io.input_files import inside
from diffdip.io.magnettech import read_magnettech


COMMENTS = """\
# Resonance fields of one narrow line at X-band: a Magnettech MS-5000 goniometer sweep, 19 angles.
# Derived values: zero crossings of the derivative lines, by experiments/goniometer_table.py.
# Source: https://github.com/tillbiskup/cwepr, tests/io/testdata/magnettech-goniometer at commit
# 707eb609, BSD 2-clause, copyright 2018- Till Biskup, 2018/19 Pascal Kirchner,
# 2020- Mirjam Schröder.
"""


def table(folder: Path) -> str:
    """The table of all XML files in a folder, sorted by name, which is the order of recording.

    Raises:
        InputError: If the folder has no XML file.
    """
    paths = sorted(folder.glob("*.xml"))
    if not paths:
        raise InputError("XML files", given=0, expected="one per angle", where=(str(folder),))
    rows = ["angle_deg,field_mT,frequency_GHz"]
    for path in paths:
        with inside(str(path)):
            [sweep] = read_magnettech(path)
        field = zero_crossing(sweep.field_mt, sweep.signal)
        rows.append(f"{sweep.angle_deg:.2f},{field:.5f},{sweep.frequency_ghz:.7f}")
    return COMMENTS + "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write the example table from a folder of Magnettech goniometer sweeps.",
        epilog="Resonance field: zero crossing of the derivative line between its extrema.",
    )
    parser.add_argument("folder", type=Path, help="folder with one XML file per angle")
    default = Path(__file__).parent.parent / "diffdip" / "data" / "goniometer.csv"
    parser.add_argument(
        "--out", type=Path, default=default, help="the table (default: %(default)s)"
    )
    arguments = parser.parse_args()
    try:
        arguments.out.write_text(table(arguments.folder), encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.exit(2, f"goniometer_table: {error}\n")
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
