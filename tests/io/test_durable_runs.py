"""Durable runs: killed, damaged, shared among processes, exported; always the same bytes."""

import csv
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import diffdip
from diffdip import NanocrystalPacking, UniformCylinder, simulate
from diffdip.cli import app
from diffdip.ensembles import simulation as ensemble
from diffdip.io import OutputError, durable_runs
from diffdip.io.durable_runs import Run, simulate_to
from diffdip.io.run_store import COLUMNS, RunError, chunk_path, read_run
from diffdip.io.run_tables import export_run
from diffdip.kernels import calls


COMMAND = (sys.executable, "-c", "from diffdip.cli import main; main()", "ensemble")
OPTIONS = ("--model", "cylinder", "--dipoles", "20", "--samples", "3000", "--batch", "64")


def plan_of(model, samples, seed=3, size=40):
    return ensemble.BatchPlan.make(model, samples, seed, size, None)


def contents(path):
    """Every file of a store, by name."""
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def names(path):
    """The names of its files alone, which a running process may move meanwhile."""
    return [name for _, _, files in os.walk(path) for name in files]


def start(out, *options):
    return subprocess.Popen(
        [*COMMAND, *OPTIONS, "--out", str(out), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    assert process.wait() == 0, process.stderr.read()
    process.stderr.close()


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The run of OPTIONS, never interrupted, by a process of its own."""
    path = tmp_path_factory.mktemp("whole") / "run.zarr"
    finish(start(path))
    return path


@pytest.fixture
def small(tmp_path):
    """A run of 100 samples in batches of 40, and its plan."""
    plan = plan_of(UniformCylinder(n=12, density=2.0), 100)
    simulate_to(tmp_path / "small.zarr", plan)
    return tmp_path / "small.zarr", plan


@pytest.mark.slow
def test_holds_what_simulate_gives(small):
    path, plan = small
    expected = simulate(plan.model, 100, 3)
    dataset = read_run(path)
    assert dataset.attrs["complete"] == 100
    for name, column in COLUMNS.items():
        stored = dataset[column.name].values
        np.testing.assert_array_equal(stored, column.factor * getattr(expected, name))
    assert np.ptp(dataset["B_mT"].values) > 1
    settings = dataset.attrs
    assert settings["model"]["type"] == "UniformCylinder"
    assert settings["model"]["convention"] == "paper"
    assert (settings["diffdip"], settings["seed"]) == (diffdip.__version__, 3)


@pytest.mark.slow
def test_xarray_reads_it_without_diffdip(small):
    path, _ = small
    with xr.open_zarr(path, consolidated=False) as dataset:
        xr.testing.assert_equal(dataset.load(), read_run(path))


@pytest.mark.slow
def test_killed_ten_times_ends_with_the_same_bytes(finished, tmp_path):
    """SIGKILL at random moments of start-up, computing and writing; one batch lost at most."""
    path = tmp_path / "run.zarr"
    moments = random.Random(1)
    # half of the kills at any time, half while batches are written
    for writing in 5 * (False, True):
        before = contents(path) if path.exists() else {}
        process = start(path)
        known, more = len(before), moments.randrange(1, 40)
        deadline = time.monotonic() + (30 if writing else moments.uniform(0.3, 4.0))
        while process.poll() is None and time.monotonic() < deadline:
            if writing and len(names(path)) > known + more:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        if path.exists():
            after = contents(path)
            parts = {name for name in after if name.endswith(".part")}
            assert {name: after[name] for name in before if name not in parts} == {
                name: data for name, data in before.items() if not name.endswith(".part")
            }
            whole = after.keys() - parts
            begun = {name.split("/c/")[1].split("/")[0] for name in whole if "/c/" in name}
            complete = {
                batch
                for batch in begun
                if all(chunk_path(path, name, int(batch)).exists() for name in COLUMNS)
            }
            assert len(begun - complete) <= 1
    finish(start(path))
    expected = contents(finished)
    assert {n: d for n, d in contents(path).items() if n in expected} == expected
    assert len(expected) > 8 * 46


@pytest.mark.slow
def test_resumes_and_computes_only_what_is_missing(small, monkeypatch):
    path, plan = small
    before = contents(path)
    chunk_path(path, "starts", 1).unlink()
    computed = []
    original = ensemble.BatchPlan.run
    monkeypatch.setattr(
        ensemble.BatchPlan, "run", lambda self, todo: computed.append(todo) or original(self, todo)
    )
    heard = []
    simulate_to(path, plan, advance=heard.append)
    assert computed == [[1]]
    assert heard == [60, 40]
    assert contents(path) == before


@pytest.mark.parametrize(
    ("change", "what", "given"),
    [
        ({"seed": 4}, "seed", 4),
        ({"samples": 99}, "n_samples", 99),
        ({"model": lambda: UniformCylinder(12, 2.5)}, "density", 2.5),
        (
            {"model": lambda: UniformCylinder(12, 2.0, convention="physical")},
            "convention",
            "physical",
        ),
        ({"model": lambda: NanocrystalPacking(2)}, "type", "NanocrystalPacking"),
    ],
)
def test_other_parameters_are_refused(small, change, what, given):
    path, plan = small
    before = contents(path)
    other = {"model": lambda: plan.model, "samples": 100, "seed": 3, "size": 40} | change
    with pytest.raises(RunError) as error:
        simulate_to(path, plan_of(**other | {"model": other["model"]()}))
    assert (error.value.what, error.value.given) == (what, given)
    assert error.value.where == (str(path),)
    assert contents(path) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["D", "B", "starts"])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_a_damaged_chunk_is_named_and_the_rest_readable(small, name, harm):
    path, plan = small
    whole = read_run(path)
    chunk = chunk_path(path, name, 1)
    good = bytearray(chunk.read_bytes())
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 4
    chunk.write_bytes({"flip": bad, "cut": good[:-7], "empty": b""}[harm])
    for read in (read_run, lambda path: Run(path, plan)):
        with pytest.raises(RunError) as error:
            read(path)
        assert "40 to 79" in error.value.what
        assert error.value.where == (str(chunk),)
    rest = read_run(path, damaged="drop")
    assert rest.attrs["complete"] == 60
    assert np.all(np.isnan(rest["B_mT"].values[40:80]))
    keep = np.r_[0:40, 80:100]
    xr.testing.assert_equal(rest.isel(sample=keep), whole.isel(sample=keep))
    flags = export_run(path, path.parent / "run.csv", skip_damaged=True)
    assert [flag.code for flag in flags] == ["missing-samples"]
    assert "40 to 79" in flags[0].message
    # what the message says to do
    simulate_to(path, plan, repair=True)
    assert chunk.read_bytes() == bytes(good)


@pytest.mark.slow
def test_more_samples_continue_a_run_as_if_there_had_been_no_break(small):
    """Whether the last batch was whole, and whatever batch is asked for; nothing is done twice."""
    path, plan = small
    whole = path.parent / "whole.zarr"
    simulate_to(whole, plan_of(plan.model, 250))
    for samples, size, computed in [(110, 40, []), (120, 7, []), (250, 100, [3, 4, 5, 6])]:
        run = Run(path, plan_of(plan.model, samples, size=size))
        assert run.missing() == [batch for batch in computed if batch < run.plan.count]
        simulate_to(path, run.plan)
        assert read_run(path).attrs["complete"] == samples
    assert contents(path) == contents(whole)
    values = simulate(plan.model, 250, 3)
    np.testing.assert_array_equal(read_run(path)["D"].values, values.D)


@pytest.mark.slow
@pytest.mark.parametrize("after", range(10))
def test_a_run_that_is_killed_while_it_is_extended_is_whole(small, monkeypatch, after):
    """After each of the ten steps; the run can be read, resumed and extended."""
    path, plan = small
    before = read_run(path)
    replace, steps = os.replace, iter(range(after))

    def killed(part, target):
        # zarr writes in threads of its own
        here = threading.current_thread() is threading.main_thread()
        if here and next(steps, None) is None:
            raise KeyboardInterrupt
        replace(part, target)

    monkeypatch.setattr(os, "replace", killed)
    more = plan_of(plan.model, 120)
    try:
        Run(path, more)
    except KeyboardInterrupt:
        assert after < 9
        xr.testing.assert_identical(read_run(path), before)
    monkeypatch.undo()
    assert not list(path.parent.glob(".*"))
    if after < 9:
        simulate_to(path, plan)
        xr.testing.assert_identical(read_run(path), before)
    simulate_to(path, more)
    simulate_to(path.parent / "whole.zarr", more)
    assert contents(path) == contents(path.parent / "whole.zarr")


@pytest.mark.slow
def test_two_runs_of_different_lengths_share_a_store(small):
    """A run that was begun before the store was extended writes what the longer one needs."""
    path, plan = small
    shutil.rmtree(path)
    short = Run(path, plan)
    long = Run(path, plan_of(plan.model, 119))
    list(short.fill(short.missing()))
    assert long.missing() == []
    simulate_to(path.parent / "whole.zarr", long.plan)
    assert contents(path) == contents(path.parent / "whole.zarr")


def test_runs_that_extend_a_store_at_once_never_make_it_shorter(small, monkeypatch):
    """The longer one comes while the other is about to write the number of its samples."""
    path, plan = small
    other = threading.Thread(target=lambda: Run(path, plan_of(plan.model, 119)))
    write = durable_runs.write_descriptions

    def slow(path, settings, *, extend):
        if settings["n_samples"] == 110:
            other.start()
            other.join(0.5)
        write(path, settings, extend=extend)

    monkeypatch.setattr(durable_runs, "write_descriptions", slow)
    Run(path, plan_of(plan.model, 110))
    other.join()
    assert read_run(path).sizes["sample"] == 119


def test_a_store_that_was_made_shorter_is_extended_at_the_end(small, monkeypatch):
    """Where the system has no locks for folders."""
    path, plan = small
    monkeypatch.setattr(durable_runs, "fcntl", None)
    settings = durable_runs.read_settings(path)
    fill = Run.fill

    def shortened(run, batches):
        yield from fill(run, batches)
        durable_runs.write_descriptions(path, settings, extend=True)

    monkeypatch.setattr(Run, "fill", shortened)
    simulate_to(path, plan_of(plan.model, 119))
    assert read_run(path).attrs["complete"] == 119


def test_samples_by_other_loops_are_not_mixed(small, monkeypatch):
    """numba and JAX alone round differently. A store says which one made it."""
    path, plan = small
    stored = durable_runs.read_settings(path)["loops"]
    assert stored == calls.form("cpu")
    other = {"numba": "jax", "jax": "numba"}[stored]
    monkeypatch.setattr(ensemble, "form", lambda platform: other)
    with pytest.raises(RunError) as error:
        Run(path, plan_of(plan.model, 119))
    assert (error.value.what, error.value.given) == ("loops", other)
    assert stored in error.value.expected
    assert read_run(path).attrs["complete"] == 100  # it can still be read


def test_a_packing_keeps_the_spacing_it_was_begun_with(tmp_path):
    """Its default was 0.26 nm once: such a run is not continued with another one."""
    path, batch = tmp_path / "run.zarr", {"samples": 1, "size": 1}
    Run(path, plan_of(NanocrystalPacking(2, extra_spacing=0.26), **batch))
    with pytest.raises(RunError) as error:
        Run(path, plan_of(NanocrystalPacking(2), **batch))
    assert (error.value.what, error.value.given) == ("extra_spacing", 0.0)
    assert error.value.expected.startswith("0.26")
    settings = durable_runs.read_settings(path)
    del settings["model"]["extra_spacing"]  # of a store that does not say it
    stored_setting(path, "model", settings["model"])
    with pytest.raises(RunError, match="extra_spacing"):
        Run(path, plan_of(NanocrystalPacking(2), **batch))


@pytest.mark.slow
def test_a_default_run_loses_at_most_what_is_computed_at_once(tmp_path):
    plan = ensemble.BatchPlan.make(UniformCylinder(n=12, density=2.0), 5, 0, None, None)
    assert Run(tmp_path / "run.zarr", plan).plan.size == plan.lanes * len(plan.devices)
    # a large batch is no larger than the run, so that a short run remains short
    plan = ensemble.BatchPlan.make(plan.model, 1000, 0, 10**6, None)
    assert Run(tmp_path / "other.zarr", plan).plan.size == 1000


def test_stores_of_other_versions(small):
    path, plan = small
    document = path / "zarr.json"
    text = document.read_text()
    for before, after in [
        ('"layout": 1', '"layout": 2'),
        ('"layout": 1', '"layout": "x"'),
        ('"zarr_format": 3', '"zarr_format": 4'),
    ]:
        assert before in text
        document.write_text(text.replace(before, after))
        for read in (read_run, lambda path: Run(path, plan)):
            with pytest.raises(RunError) as error:
                read(path)
            assert "newer" in error.value.what
    # earlier stores had no such number, and a batch could be larger than the run
    old = path.parent / "old.zarr"
    simulate_to(old, plan_of(plan.model, 100, size=100))
    stored_setting(old, "layout", 0)
    stored_setting(old, "batch_size", 4096)
    assert read_run(old).attrs["complete"] == 100
    with pytest.raises(RunError) as error:
        Run(old, plan)
    assert "older" in error.value.what
    document.write_text(text)
    array = path / "A_mT" / "zarr.json"
    array.write_text(array.read_text().replace('"zarr_format": 3', '"zarr_format": 4'))
    with pytest.raises(RunError) as error:
        read_run(path)
    assert error.value.where == (str(array),)


def test_a_link_to_nothing_is_refused_at_once(small, tmp_path):
    (tmp_path / "link.zarr").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError, match="link"):
        Run(tmp_path / "link.zarr", small[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["a b.zarr", "50%20.zarr", "a\nb.zarr", "-x", "é€.zarr", "a::b", "x" * 250]
)
def test_unusual_names(small, name, monkeypatch):
    path, _ = small
    monkeypatch.chdir(path.parent)
    arguments = ("--model", "cylinder", "--dipoles", 12, "--density-per-nm3", 2, "--float64")
    sizes = ("--samples", 100, "--batch", 40, "--seed", 3)
    done = invoke("ensemble", *arguments, *sizes, f"--out={name}")
    assert done.exit_code == 0, done.output
    assert contents(path.parent / name) == contents(path)
    assert "\nb" not in done.stdout
    done = invoke("export", "--", name, f"{name[:200]}.csv")
    assert done.exit_code == 0, done.output
    assert (path.parent / f"{name[:200]}.csv").exists()


def test_what_is_not_a_run_is_refused(tmp_path):
    (tmp_path / "file").write_text("no store")
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.zarr").mkdir()
    (tmp_path / "other.zarr" / "zarr.json").write_text('{"attributes": {"model": 1}}')
    for name in ("file", "folder", "other.zarr", "nothing"):
        with pytest.raises(RunError) as error:
            read_run(tmp_path / name)
        assert error.value.where == (str(tmp_path / name),)


def stored_setting(path, name, value):
    """Change a setting in a store."""
    settings = json.loads((path / "zarr.json").read_text())
    settings["attributes"][name] = value
    (path / "zarr.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", 0), ("batch_size", "x"), ("n_samples", 2.5), ("dtype", "complex64")],
)
def test_settings_that_no_run_has_are_refused(small, name, value):
    path, _ = small
    stored_setting(path, name, value)
    with pytest.raises(RunError) as error:
        read_run(path)
    assert (error.value.what, error.value.given) == (f"setting {name}", value)
    assert error.value.where == (str(path / "zarr.json"),)


def test_settings_that_contradict_the_arrays_are_refused(small):
    path, _ = small
    stored_setting(path, "n_samples", 200)
    with pytest.raises(RunError) as error:
        read_run(path)
    assert error.value.where == (str(path / "D" / "zarr.json"),)
    assert "200" in error.value.expected


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"shape": "abc"}'])
def test_a_damaged_description_of_an_array_is_refused(small, damage):
    path, _ = small
    (path / "A_mT" / "zarr.json").write_bytes(damage)
    with pytest.raises(RunError) as error:
        read_run(path)
    assert error.value.where == (str(path / "A_mT" / "zarr.json"),)
    assert "100" in error.value.expected


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_run_resumes_later(finished, tmp_path):
    path = tmp_path / "run.zarr"
    options = ("--model", "cylinder", "--dipoles", "20", "--samples", "900", "--batch", "450")
    small = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1600, 1600)); "
    command = [*COMMAND, *options, "--out", str(path)]
    limited = [command[0], "-c", small + command[2], *command[3:]]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert str(path) in line
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    part = read_run(finished).isel(sample=slice(900))
    np.testing.assert_array_equal(read_run(path)["A_mT"].values, part["A_mT"].values)


@pytest.mark.slow
def test_two_runs_at_once_make_the_bytes_of_one(finished, tmp_path):
    """Neither knows of the other."""
    path = tmp_path / "run.zarr"
    both = [start(path), start(path)]
    for process in both:
        finish(process)
    assert contents(path) == contents(finished)
    assert list(tmp_path.iterdir()) == [path]


def test_two_runs_make_one_store(small, monkeypatch):
    """Both find none; the one that comes too late with its own goes on with that of the other."""
    path, plan = small
    rename = os.rename

    def too_late(part, target):
        shutil.copytree(path, target)
        rename(part, target)

    monkeypatch.setattr(os, "rename", too_late)
    late = path.parent / "late.zarr"
    assert Run(late, plan).missing() == []
    assert contents(late) == contents(path)
    with pytest.raises(RunError) as error:
        Run(path.parent / "other.zarr", plan_of(plan.model, 100, seed=4))
    assert (error.value.what, error.value.given) == ("seed", 4)
    assert not list(path.parent.glob(".*"))


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_make_the_bytes_of_one(finished, tmp_path, count):
    """With three, one is killed while it works and started again."""
    path = tmp_path / "run.zarr"
    port = free_port()
    options = ("--coordinator", f"127.0.0.1:{port}", "--processes", str(count), "--process-id")
    group = [start(path, *options, str(index)) for index in range(count)]
    if count == 3:
        while not chunk_path(path, "starts", 2).exists():
            assert group[2].poll() is None, group[2].stderr.read()
            time.sleep(0.01)
        group[2].kill()
        group[2].wait()
        group[2].stderr.close()
        group[2] = start(path, *options, "2")
    for process in group:
        finish(process)
    expected = contents(finished)
    assert {n: d for n, d in contents(path).items() if n in expected} == expected


def test_the_first_process_does_what_a_lost_one_left(tmp_path, monkeypatch):
    plan = plan_of(UniformCylinder(n=12, density=2.0), 100)
    simulate_to(tmp_path / "whole.zarr", plan)
    monkeypatch.setattr(durable_runs, "PATIENCE", 0.2)
    simulate_to(tmp_path / "shared.zarr", plan, process=0, processes=2)
    assert contents(tmp_path / "shared.zarr") == contents(tmp_path / "whole.zarr")


def test_export(small, tmp_path):
    path, _ = small
    dataset = read_run(path)
    export_run(path, tmp_path / "run.csv")
    lines = (tmp_path / "run.csv").read_text().splitlines()
    assert json.loads(lines[0].removeprefix("# "))["seed"] == 3
    rows = list(csv.DictReader(lines[1:]))
    assert len(rows) == 100
    for name in ("A_mT", "n_dipoles", "closest_nm"):
        exact = dataset[name].values
        np.testing.assert_allclose([float(row[name]) for row in rows], exact, rtol=1e-6)
    Dxy = [float(row["Dxy"]) for row in rows]
    np.testing.assert_allclose(Dxy, dataset["D"].values[:, 0, 1], rtol=1e-6)
    export_run(path, tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc", engine="scipy") as read:
        xr.testing.assert_equal(read.load(), dataset)
        assert json.loads(read.attrs["settings"])["model"]["n"] == 12
    with pytest.raises(OutputError, match=r"run\.txt"):
        export_run(path, tmp_path / "run.txt")


@pytest.mark.slow
def test_the_command(tmp_path):
    out = tmp_path / "run.zarr"
    arguments = ("--model", "sphere", "--dipoles", 12, "--samples", 50, "--float64", "--out", out)
    done = invoke("ensemble", *arguments)
    assert done.exit_code == 0, done.output
    dataset = read_run(out)
    assert dataset["B_mT"].dtype == np.float64
    assert f"{np.median(np.abs(dataset['B_mT'].values)):.4g}" in done.stdout
    assert "50 samples of UniformSphere, paper convention, seed 0" in done.stdout
    done = invoke("export", out, tmp_path / "run.csv")
    assert done.exit_code == 0
    assert (tmp_path / "run.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--volume-fraction", 0.9), ("0.9",)),
        (("--diameter-nm", -1), ("--diameter-nm", "-1")),
        (("--kappa", "nan"), ("--kappa", "nan")),
        (("--model", "box", "--dipoles", 1), ("--dipoles = 1",)),
        (("--process-id", 1), ("--coordinator",)),
        (("--coordinator", "localhost:1"), ("--processes",)),
    ],
)
def test_wrong_options_give_one_line(tmp_path, arguments, named):
    done = invoke("ensemble", *arguments, "--out", tmp_path / "run.zarr")
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert all(word in line for word in named)
    assert list(tmp_path.iterdir()) == []


def test_export_of_nothing(tmp_path):
    done = invoke("export", tmp_path / "run.zarr", tmp_path / "run.csv")
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert str(tmp_path / "run.zarr") in line
    assert os.listdir(tmp_path) == []
