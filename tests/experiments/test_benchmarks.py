"""The benchmarks run, and that of ensembles agrees with its references. Speed is not tested."""

import subprocess
import sys

import pytest

from tests.helpers.scripts import BENCHMARKS, script


pytestmark = pytest.mark.slow


@pytest.fixture
def benchmark(monkeypatch):
    """The module, with little time for each row."""
    monkeypatch.setattr(script("pairs", BENCHMARKS), "SECONDS", 0.01)
    return script("ensembles", BENCHMARKS)


@pytest.mark.float32
def test_pair_sums_are_those_of_c(benchmark, capsys):
    benchmark.main(["--parts", "pairs", "--quick"])
    out = capsys.readouterr().out
    if "no C compiler" in out:
        pytest.skip("no C compiler with OpenMP")
    rows = [line for line in out.splitlines() if "G pairs/s" in line]
    assert len(rows) == 9, out
    assert all(line.count("|") == 6 for line in rows)


@pytest.mark.float32
def test_a_wrong_pair_sum_stops_the_benchmark():
    pairs = script("pairs", BENCHMARKS)
    kernels = script("c_reference", BENCHMARKS).compile_pair_sums()
    if not kernels:
        pytest.skip("no C compiler with OpenMP")
    systems = pairs.Systems.equal(20, 3)
    expected = kernels[0](systems.for_c())
    pairs.check(pairs.VALUE, 1.00005 * expected, systems, expected)
    with pytest.raises(AssertionError, match=r"2\.0e-04"):
        pairs.check(pairs.VALUE, 1.0002 * expected, systems, expected)


def test_what_is_missing_is_left_out(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "compile_pair_sums", list)
    monkeypatch.setitem(sys.modules, "numba", None)
    benchmark.main(["--parts", "pairs", "figure5", "--quick"])
    out = capsys.readouterr().out
    assert "no C compiler" in out
    assert "numba is not installed" in out


@pytest.mark.float32
def test_the_script_for_accelerators_runs_on_the_cpu(benchmark, monkeypatch, tmp_path):
    accelerator = script("accelerator", BENCHMARKS)
    small = accelerator.Size(((20, 3),), ((2, 20),), 200, 16)
    monkeypatch.setitem(accelerator.SIZES, "small", small)
    out = tmp_path / "new" / "table.md"
    accelerator.main(["--size", "small", "--out", str(out)])
    table = out.read_text(encoding="utf-8")
    for part in ("gradient by positions", "gradient of B", " series", "2 crystals", "samples/s"):
        assert part in table


def test_a_result_that_differs_from_the_cpu_stops_the_script():
    accelerator = script("accelerator", BENCHMARKS)
    accelerator.close("sum", [1.0, -2.0], [1.0, -2.0001], 1e-4)
    for wrong in (-2.001, float("nan")):
        with pytest.raises(SystemExit, match="differs from the CPU"):
            accelerator.close("sum", [1.0, wrong], [1.0, -2.0], 1e-4)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("accelerator", "--peak-tflops"),
        ("ensembles", "--parts"),
        ("fits", "--series"),
        ("resonance", "--size"),
        ("startup", "--sweeps"),
    ],
)
def test_help_runs_as_a_script(name, option):
    command = [sys.executable, BENCHMARKS / f"{name}.py", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    usage, _, _ = done.stdout.partition("\n\n")  # the text below may name options, too
    assert option in usage


def test_the_reference_figure_is_drawn(tmp_path):
    subprocess.run([sys.executable, BENCHMARKS / "reference_figure.py", tmp_path], check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"reference.png", "reference.pdf"}
