"""The page "Ensembles": samples of a model, their distribution as it grows, and their table."""

import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import streamlit as st

from .. import NanocrystalPacking, UniformBox, UniformCylinder, UniformSphere
from ..ensembles.model_parameters import ASPECT, PACKING, UNIFORM, ModelParameter
from ..ensembles.models import AbstractModel
from ..ensembles.simulation import BatchPlan, lanes_on, nothing_placed
from ..foundation.errors import InputError
from ..foundation.interruption import UNFINISHED, remove
from ..io.durable_runs import Run
from ..io.run_store import read_run
from ..io.run_tables import QUANTILE_HEADS, export_run, quantile_rows, unplaced_flags
from ..report.figures.ensembles import figure_ensemble
from ..report.figures.style import figure_bytes
from . import frame
from .field_labels import LABELS


UPDATES = 20
"""About how many times the distribution is drawn while it grows."""

MOST_SAMPLES = 20_000


STARTS: dict[str, float] = {"n_crystals": 20}
"""Start values that differ from the model's defaults, so that a distribution appears soon."""

BOUNDS: dict[str, tuple[int, int]] = {
    "n_crystals": (1, 5000),
    "dipoles_per_crystal": (1, 100),
    "n": (2, 20_000),
}
"""Smallest and largest whole numbers; any other number is 0 or more, and the model checks it."""


@dataclass(frozen=True)
class Asked:
    """What is simulated: a model by its name on the page, its numbers by name, samples and seed."""

    model: str
    numbers: tuple[tuple[str, float], ...]
    convention: str
    samples: int
    seed: int

    def sentence(self) -> str:
        """All of it in one line."""
        numbers = ", ".join(f"{LABELS[name]} {value:.10g}" for name, value in self.numbers)
        return f"{self.model}, {self.convention} convention, seed {self.seed}: {numbers}"


MODELS: dict[str, tuple[Callable[..., AbstractModel], Mapping[str, ModelParameter]]] = {
    "packed crystals": (NanocrystalPacking, PACKING),
    "uniform in a cylinder": (UniformCylinder, {**UNIFORM, "aspect": ASPECT}),
    "uniform in a sphere": (UniformSphere, UNIFORM),
    "uniform in a cube": (UniformBox, UNIFORM),
}
"""Models by their name on the page, each with its parameters."""


@dataclass
class Simulation:
    """The part of a run that is computed, in a folder that is removed with this object.

    Streamlit can stop a script at any time, so this object is in the session before it is filled.
    """

    asked: Asked
    latest: tuple[int, bytes] = (0, b"")  # number of samples, and their picture

    def __post_init__(self):
        folder = tempfile.mkdtemp(prefix="diffdip-")
        UNFINISHED.add(folder)
        weakref.finalize(self, _discard, folder)
        self.store = Path(folder, "run.zarr")

    def table(self) -> bytes:
        """The samples as `diffdip export` writes them."""
        target = self.store.with_suffix(".csv")
        export_run(self.store, target)
        return target.read_bytes()


def _discard(folder: str) -> None:
    remove({folder})
    UNFINISHED.discard(folder)


def show() -> None:
    """Show the page."""
    head = st.container()
    left, right = st.columns((2, 3), gap="large")
    with left:
        asked = _choices()
        wanted = st.button("Simulate", type="primary", icon=":material/play_arrow:")
    with head:
        frame.head("Ensembles", asked.convention)
    with right:
        if wanted:
            try:
                _simulate(asked)
            except InputError as error:
                frame.refuse(error)
            except OSError as error:
                # not the whole message: it names a temporary folder
                frame.refuse(f"The samples could not be stored: {error.strerror or 'disk error'}")
            except jax.errors.JaxRuntimeError as error:
                reason = str(error).splitlines()[0]
                frame.refuse(f"The samples could not be computed: {reason}")
        simulation: Simulation | None = st.session_state.get("simulation")
        if simulation is not None and simulation.latest[0]:
            _show(simulation, asked)
        elif not wanted:
            st.info("Choose a model and simulate samples to see the distributions of A and B.")


def plan_of(model: AbstractModel, samples: int, seed: int) -> BatchPlan:
    """The plan of a run whose batches give about `UPDATES` pictures.

    >>> plan_of(UniformSphere(n=2000, density=2.0), 10_000, 0).count
    20
    """
    lanes = lanes_on(model)
    return BatchPlan.make(model, samples, seed, lanes * -(-samples // (lanes * UPDATES)), None)


def _choices() -> Asked:
    """The values of the widgets."""
    key = lambda name: f"{frame.KEPT}ensemble {name}"
    name = st.selectbox("Model", MODELS, key=key("model"))
    columns = st.columns(2)
    numbers: list[tuple[str, float]] = []
    for i, (field, parameter) in enumerate(MODELS[name][1].items()):
        st.session_state.setdefault(key(field), STARTS.get(field, parameter.default))
        value = columns[i % 2].number_input(
            LABELS[field],
            *(BOUNDS[field] if parameter.whole else (0.0, None)),
            format="%d" if parameter.whole else "%g",
            key=key(field),
        )
        numbers.append((field, value))
    st.session_state.setdefault(key("samples"), 2000)
    samples = columns[0].number_input(LABELS["n_samples"], 2, MOST_SAMPLES, key=key("samples"))
    seed = columns[1].number_input(LABELS["seed"], 0, 2**32 - 1, key=key("seed"))
    convention = st.radio(
        LABELS["convention"], ("paper", "physical"), horizontal=True, key=key("convention")
    )
    return Asked(name, tuple(numbers), convention, samples, seed)


def _simulate(asked: Asked) -> None:
    """Simulate the samples and show the distribution as it grows. Raises `InputError`.

    As on the command line the numbers are float32, and the run is a store that can be exported.
    """
    st.session_state.pop("simulation", None)
    with jax.enable_x64(False):
        model = MODELS[asked.model][0](**dict(asked.numbers), convention=asked.convention)
        plan = plan_of(model, asked.samples, asked.seed)
        simulation = st.session_state["simulation"] = Simulation(asked)
        bar, stop, picture = st.progress(0.0, "Compiling …"), st.empty(), st.empty()
        # like any widget, it stops the script between two batches
        stop.button("Stop after this batch", icon=":material/stop:")
        run = Run(simulation.store, plan)
        done, unplaced = 0, 0
        fields: dict[str, list[np.ndarray]] = {"A": [], "B": []}
        try:
            for _, arrays in run.fill(range(run.plan.count)):
                done += len(arrays["A"])
                unplaced += int(np.isnan(arrays["M"]).sum())
                for field, parts in fields.items():
                    parts.append(1e3 * arrays[field])
                shown = _picture(fields, f"{done} of {asked.samples} samples, {asked.model}")
                simulation.latest = done, shown
                picture.image(shown)
                bar.progress(done / asked.samples, f"{done} of {asked.samples} samples")
        finally:
            for place in (bar, stop, picture):
                place.empty()
        if unplaced == done:
            del st.session_state["simulation"]
            raise nothing_placed(model)


def _picture(fields: dict[str, list[np.ndarray]], title: str) -> bytes:
    with frame.COMPUTING:
        values = {name: np.concatenate(parts) for name, parts in fields.items()}
        return figure_bytes(figure_ensemble(values, title), "png")


def _show(simulation: Simulation, asked: Asked) -> None:
    done, picture = simulation.latest
    sentence = simulation.asked.sentence()
    if done < simulation.asked.samples:
        st.info(f"Stopped after {done} of {simulation.asked.samples} samples.")
    if simulation.asked != asked:
        st.info("The choices have changed since this simulation. Simulate again to apply them.")
    st.image(picture, alt=f"Distributions of |A| and |B|: {sentence}")
    dataset = read_run(simulation.store).isel(sample=slice(done))
    if dataset["M_A_per_m"].notnull().any():
        frame.table(("(mT)", *QUANTILE_HEADS), quantile_rows(dataset))
    st.caption(frame.as_text(sentence))
    frame.doubts(unplaced_flags(dataset))
    frame.download("Table of the samples", lambda: {"run.csv": simulation.table()}, "run.csv")
