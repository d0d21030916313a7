"""Durable runs: samples of a model in a zarr store, written batch by batch.

A chunk appears complete or not at all. So an interrupted run, even one ended by SIGKILL, resumes
and gives byte-identical output. For the same reason the store is created under a temporary name and
then renamed. Several runs with the same parameters on one store need no lock while they compute,
even if they want different numbers of samples: each does all the work, and all write the same bytes
into every file. A lock guards the number of samples, which no run makes smaller.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..foundation.errors import shown_value
from .run_store import (
    COLUMNS,
    LAYOUT,
    RunError,
    chunk_path,
    is_written,
    open_arrays,
    read_batch,
    read_settings,
    write_batch,
    write_descriptions,
)
from .writing import OutputError


try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

if TYPE_CHECKING:
    from ..ensembles.simulation import BatchPlan

PATIENCE = 30.0
"""Seconds without a new batch after which the first process does the work of the others."""

STORE_PATIENCE = 60.0
"""Seconds that the other processes wait for the first one to make the store."""


HINTS = {
    "loops": "Samples by numba and by JAX alone differ in their last digits. Resume with the same",
}
"""What to do if a setting differs that is no parameter of the command."""


class Run:
    """The store of one run.

    Args:
        path: Of the store, a folder. A store with fewer samples is extended.
        plan: The model, the samples and the batches of the run. A stored run keeps its batch size.
        create: Make the store if it does not exist. Otherwise wait for another process to make it.
        repair: Remove damaged chunks, so that they are missing.

    Raises:
        RunError: If the path holds something else, a run with other parameters or with more
            samples, or a damaged chunk.
        OutputError: If the store cannot be written.
    """

    def __init__(self, path: Path, plan: "BatchPlan", *, create: bool = True, repair: bool = False):
        self.path = Path(path)
        # up to here, a larger batch takes no longer
        least = max(plan.n_samples, plan.lanes * len(plan.devices))
        self.plan = dataclasses.replace(plan, size=min(plan.size, least))
        if create and not os.path.lexists(self.path):
            self._create()
        self._wait()
        self._check(repair)

    def missing(self) -> list[int]:
        """The batches that are not written yet."""
        return [batch for batch in range(self.plan.count) if not is_written(self.path, batch)]

    def fill(self, batches: Sequence[int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Compute and write batches: the number of each, and its arrays by name."""
        # the last batch as well is computed whole
        whole = dataclasses.replace(self.plan, n_samples=self.plan.count * self.plan.size)
        for batch, arrays in whole.run(batches):
            with _writing(self.path):
                write_batch(self.path, batch, arrays, self._settings())
            count = len(self.plan.samples(batch))
            yield batch, {name: values[:count] for name, values in arrays.items()}

    def _settings(self) -> dict[str, Any]:
        """Everything that the bytes of the run depend on."""
        return self.plan.settings() | {"batch_size": self.plan.size, "layout": LAYOUT}

    def _wait(self) -> None:
        """Wait for the process that makes the store."""
        if self.path.is_symlink() and not self.path.exists():
            raise RunError(
                "a link to nothing", expected="a store, or no file", where=(str(self.path),)
            )
        end = time.monotonic() + STORE_PATIENCE
        while not self.path.exists():
            if time.monotonic() > end:
                raise RunError(
                    "no store",
                    expected=f"the first process to make it within {STORE_PATIENCE:g} seconds",
                    hint="Start the process of index 0 as well",
                    where=(str(self.path),),
                )
            time.sleep(0.1)

    def _create(self) -> None:
        """Make an empty store."""
        try:
            with _writing(self.path):
                write_descriptions(self.path, self._settings(), extend=False)
        except OutputError:
            if not self.path.exists():  # otherwise another run was faster
                raise

    def _check(self, repair: bool) -> None:
        """Refuse a run with other settings, or with a damaged chunk unless it is repaired."""
        found = read_settings(self.path)
        self._compare(found)
        self.plan = dataclasses.replace(self.plan, size=found["batch_size"])
        arrays = self.extend()
        for batch in sorted(set(range(self.plan.count)) - set(self.missing())):
            try:
                read_batch(arrays, self.path, self.plan.samples(batch), batch)
            except RunError:
                if not repair:
                    raise
                with _writing(self.path):
                    for name in COLUMNS:
                        chunk_path(self.path, name, batch).unlink(missing_ok=True)

    def extend(self) -> dict[str, Any]:
        """Make the store long enough for this run, and never shorter; returns its arrays.

        Another run may have extended it since it was read, or be about to.
        """
        with _writing(self.path), _alone(self.path):
            found = read_settings(self.path)
            arrays = open_arrays(self.path, found)
            lengths = {found["n_samples"], *(array.shape[0] for array in arrays.values())}
            wanted = found | {"n_samples": max(found["n_samples"], self.plan.n_samples)}
            if lengths != {wanted["n_samples"]}:
                write_descriptions(self.path, wanted, extend=True)
                arrays = open_arrays(self.path, wanted)
        return arrays

    def _compare(self, found: dict[str, Any]) -> None:
        """Refuse other settings; the size of a batch may differ, and there may be more samples."""
        stored, wanted = _flat(found), _flat(self._settings())
        if stored.get("layout", 0) < LAYOUT or "loops" not in stored:
            raise RunError(
                "a store of an older diffdip",
                hint="Read it with diffdip export, or write to another place",
                where=(str(self.path),),
            )
        del wanted["batch_size"]
        if stored["n_samples"] < wanted["n_samples"]:
            del wanted["n_samples"]
        for name, value in wanted.items():
            if stored.get(name) != value:
                text = shown_value(stored.get(name)).replace("{", "{{").replace("}", "}}")
                more = " or more" if name == "n_samples" else ""
                raise RunError(
                    name.removeprefix("model."),
                    given=value,
                    expected=f"{text}{more}, as in the run that is stored there",
                    hint=HINTS.get(name, "Use the same parameters to resume that run")
                    + ", or write to another place",
                    where=(str(self.path),),
                )


def simulate_to(
    path: Path,
    plan: "BatchPlan",
    *,
    process: int = 0,
    processes: int = 1,
    repair: bool = False,
    advance: Callable[[int], None] = lambda samples: None,
) -> None:
    """Compute the batches that a run lacks and write them one by one.

    If several processes work on one `path`, process p computes the batches b with
    b mod `processes` = p. The first process makes the store and stays until all batches are
    written. If no new batch appears for `PATIENCE` seconds, it computes those of the others.

    Args:
        path: Of the store. A finished run with fewer samples is continued.
        plan: The run.
        process: Index of this process.
        processes: Number of processes.
        repair: Compute damaged batches once more.
        advance: Is called with the number of samples done since the last call.

    Raises:
        RunError: If the path holds something else, a run with other parameters or with more
            samples, or a damaged chunk.
        OutputError: If the store cannot be written.
    """
    run = Run(path, plan, create=process == 0, repair=repair)
    plan, missing = run.plan, run.missing()
    advance(plan.n_samples - sum(len(plan.samples(batch)) for batch in missing))
    mine = [batch for batch in missing if batch % processes == process]
    for batch, _ in run.fill(mine):
        advance(len(plan.samples(batch)))
    if process:
        return
    others = set(missing) - set(mine) if processes > 1 else set()
    heard = time.monotonic()
    while others:
        done = others - set(run.missing())
        for batch in done:
            advance(len(plan.samples(batch)))
        others -= done
        if done:
            heard = time.monotonic()
        elif time.monotonic() - heard > PATIENCE:
            list(run.fill([min(others)]))
        else:
            time.sleep(0.2)
    run.extend()  # where there are no locks, another run may have made it shorter


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings without nesting, named such as "model.density"."""
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for other processes in such a block of one store, where the system has locks for it."""
    if fcntl is None:
        yield
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network drives lock no folders
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raise `OutputError` for a store that cannot be written; it names no temporary file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
