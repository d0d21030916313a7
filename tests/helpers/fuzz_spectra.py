"""Damaged files of every kind: they give numbers or one `InputError`, in little time and memory.

    python -m tests.helpers.fuzz_spectra [MUTATIONS] [SEED] [KIND ...]

prints for each kind how many damaged files were refused, the longest time, the peak of memory in
one file of a hundred, and by how much the memory of the process grew. Any other exception ends the
run and shows the bytes, and so does a file that needs more than `LONGEST` seconds (of CPU time) or
`LARGEST` bytes.
"""

import random
import re
import sys
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from diffdip.foundation.errors import InputError
from diffdip.io import SpectrumError, TableError, read_spectra, read_table
from diffdip.io.archive import ArchiveError, unpack
from diffdip.io.model_files import read_model
from diffdip.spectra.definitions import DEFINITIONS
from diffdip.spectra.lines import LineError
from diffdip.spectra.positions import line_positions
from tests.helpers import instrument_files, spectra_files as files


REFUSALS = (SpectrumError, TableError, ArchiveError)


def series(folder):
    """Resonance fields of two samples, with a frequency in a comment, in decimal commas."""
    rows = [
        f"{name};{angle};{338 + np.cos(angle / 30):.2f};0,1;xy".replace(".", ",")
        for name in ("I", "II")
        for angle in range(0, 190, 10)
    ]
    header = "sample;angle_deg;Hres (mT);sigma_mT;plane"
    path = folder / "series.csv"
    path.write_text("\n".join(["# frequency = 9,45 GHz", header, *rows, ""]))
    return path


def model(folder):
    path = folder / "film.toml"
    path.write_text(
        'terms = ["thin-film", "cubic", "uniaxial"]\nplane = "xy"\n'
        '[crystal]\nnormal = "001"\nalong = "100"\n[axis]\nuniaxial = "110"\n[parameters]\n'
        "g = { start = 2.05, lower = 2.0, upper = 2.2 }\nMeff_mT = { start = 1200, lower = 0 }\n"
        'H1_mT = 50.0\nHu_mT = { of = "H1_mT", times = 0.5, plus = 0 }\n'
    )
    return path


def archive(folder):
    """A zip of a folder of spectra."""
    path = folder / "sweeps.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for angle in files.ANGLES:
            content = instrument_files.niehs_dat(angle)
            # always the same bytes: without this the time is in the file
            entry = zipfile.ZipInfo(f"sweeps/film_{angle:g}deg.dat", (2020, 1, 1, 0, 0, 0))
            target.writestr(entry, content)
    return path


def unpacked(path):
    with tempfile.TemporaryDirectory() as folder:
        unpack(path.read_bytes(), Path(folder), path.name, max_bytes=1_000_000)


KINDS = (
    files.KINDS
    | instrument_files.KINDS
    | files.VARIANTS
    | {"series table": series, "model file": model, "zip": archive}
)

OTHERS = {"series table": read_table, "model file": read_model, "zip": unpacked}
"""Readers of what is no spectrum."""

LONGEST = 2.0
LARGEST = 20e6
NAMES = list(DEFINITIONS)

HUGE = [b"4294967295", b"99999999999999999999", b"-1", b"0", b"1e308", b"nan", b"2147483648"]
PIECES = [
    b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\n", b"\r", b"\t", b",", b";", b"<", b">",
    b"&lol;", b"'", b'"', b"#", b"=", b"nan", b"1e999", b"-", b"\xef\xbb\xbf", b"<!--", b"]]>",
    b'<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;&l;&l;">]>',
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
    b"<a>" * 2000,
]  # fmt: skip


def mutated(random, data):
    """The bytes with one to four faults, some of which an attacker would try."""
    for _ in range(random.randint(1, 4)):
        data = random.choice(FAULTS)(random, data)
    return data


def flip(random, data):
    at = random.randrange(len(data)) if data else 0
    return (
        data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :] if data else b""
    )


def cut(random, data):
    return data[: random.randint(0, len(data))]


def insert(random, data):
    at = random.randint(0, len(data))
    return data[:at] + random.choice(PIECES) + data[at:]


def remove(random, data):
    at = random.randint(0, len(data))
    return data[:at] + data[at + random.randint(1, 40) :]


def repeat(random, data):
    at = random.randint(0, len(data))
    part = data[at : at + random.randint(1, 400)]
    return data[:at] + part * random.randint(2, 20) + data[at:]


def swap_number(random, data):
    numbers = list(re.finditer(rb"\d+", data[:5000]))
    if not numbers:
        return flip(random, data)
    number = random.choice(numbers)
    return data[: number.start()] + random.choice(HUGE) + data[number.end() :]


def huge_word(random, data):
    """Replace four bytes near the start, where binary formats have their counts."""
    at = 4 * random.randint(0, min(len(data), 600) // 4)
    word = random.choice([b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"])
    return data[:at] + word + data[at + 4 :]


FAULTS = [flip, flip, cut, insert, remove, repeat, swap_number, huge_word]


def run(kind, count, seed, folder, traced=100):
    """Read damaged files: the outcomes, the longest time (s) and the peak memory (bytes)."""
    target = KINDS[kind](folder)
    sound = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    if target.is_file():  # the file and those beside it that it needs
        sound = {p: data for p, data in sound.items() if p == target or p.stem == target.stem}
    read = OTHERS.get(kind)
    assert outcome(target, target, b"", read=read) == "read"  # also imports what it needs
    draw = random.Random(seed)
    outcomes, slowest, peak = Counter(), 0.0, 0
    for i in range(count):
        path = draw.choice(list(sound))
        damaged = mutated(draw, sound[path])
        write_anew(path, damaged)
        watched = i % traced == 0
        if watched:
            tracemalloc.start()
        start = time.process_time()
        outcomes[outcome(target, path, damaged, NAMES[i % len(NAMES)], read=read)] += 1
        slowest = max(slowest, time.process_time() - start)
        if watched:
            peak = max(peak, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert slowest < LONGEST, f"{path.name}: {slowest:.1f} s for {damaged[:3000]!r}"
        assert peak < LARGEST, f"{path.name}: {peak / 1e6:.0f} MB for {damaged[:3000]!r}"
        write_anew(path, sound[path])
    return outcomes, slowest, peak


def write_anew(path, data):
    """Write a new file. ext4 waits for the disk when an existing one is overwritten."""
    path.unlink()
    path.write_bytes(data)


def outcome(target, path, damaged, definition="zero-crossing", *, read=None):
    """`refused`, `read`, or `read, no line`. Raises `AssertionError` for any other outcome."""
    result, said = "read", ""
    refusals = (InputError,) if read is read_model else REFUSALS
    try:
        if read is None:
            spectra = read_spectra(target)
            line_positions(spectra, definition, line="strongest")
        else:
            read(target)
    except refusals as error:
        result, said = "refused", str(error)
    except LineError as error:
        result, said = "read, no line", str(error)
    except Exception as error:
        raise AssertionError(f"{path.name}: {error!r} from {damaged[:3000]!r}") from error
    assert len(said.splitlines()) <= 1, repr(said)
    if result != "refused" and read is None:
        assert spectra["signal"].dims == ("angle", "field")
        # one measurement alone needs no angle; its field may go up and down
        assert np.isfinite(spectra["angle"]).all() or np.isnan(spectra["angle"]).all()
    return result


def main(count=10_000, seed=1, *kinds):
    import resource  # not on Windows

    warnings.simplefilter("error", RuntimeWarning)  # overflow may hide a wrong number
    memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    for kind in kinds or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            run(kind, 10, int(seed), Path(folder))
        before = memory()
        with tempfile.TemporaryDirectory() as folder:
            outcomes, slowest, peak = run(kind, int(count), int(seed), Path(folder))
        told = ", ".join(f"{n} {name}" for name, n in sorted(outcomes.items()))
        grown = f"the process grew by {memory() - before:.1f} MB to {memory():.0f} MB"
        print(
            f"{kind}: {told}; slowest {slowest:.2f} s, memory {peak / 1e6:.1f} MB, {grown}",
            flush=True,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
