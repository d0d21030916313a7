"""The page "Ensembles": samples of a model, their distribution as it builds up, and their table."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
import streamlit as st

from ..crystals import (
    AbstractModel,
    NanocrystalPacking,
    UniformBox,
    UniformCylinder,
    UniformSphere,
)
from ..ensemble import BatchPlan, nothing_placed
from ..io.run import QUANTILE_HEADS, Run, export_run, quantile_rows, read_run
from ..plot import figure_bytes
from ..plot_ensemble import figure_ensemble
from . import frame


LANES = 64
"""Samples computed at once: few, so that the distribution is seen to grow."""

UPDATES = 20
"""How often, about, the distribution is drawn anew."""

MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class Number:
    """A parameter of a model: its name there, its label, where it starts, the least it can be."""

    name: str
    label: str
    start: float
    least: float = 0.0  # whole where the number is


PACKING = (
    Number("n_crystals", "Crystals", 20, 1),
    Number("dipoles_per_crystal", "Dipoles per crystal", 10, 1),
    Number("diameter", "Diameter of a core (nm)", 2.7),
    Number("volume_fraction", "Volume fraction of the cores", 0.2),
    Number("ligand_mean", "Ligand thickness (nm)", 0.3),
    Number("ligand_sd", "Its spread (nm)", 0.3),
    Number("extra_below", "Extra dipole below a thickness of (nm)", 0.3),
    Number("kappa", "Concentration κ of extra dipoles", 3.0),
    Number("bond_length", "Bond length (nm)", 0.26),
    Number("extra_spacing", "Spacing of extra dipoles (nm)", 0.26),
    Number("moment", "Moment (µB)", 1.73),
)
UNIFORM = (
    Number("n", "Dipoles", 1000, 2),
    Number("density", "Dipoles per nm³", 2.0),
    Number("moment", "Moment (µB)", 1.73),
)

MODELS: dict[str, tuple[Callable[..., AbstractModel], tuple[Number, ...]]] = {
    "packed crystals": (NanocrystalPacking, PACKING),
    "uniform in a cylinder": (UniformCylinder, (*UNIFORM, Number("aspect", "Aspect", 1.0))),
    "uniform in a sphere": (UniformSphere, UNIFORM),
    "uniform in a cube": (UniformBox, UNIFORM),
}


@dataclass(frozen=True)
class Drawn:
    """A finished run: its title, picture, quantiles, how many were not placed, and the table."""

    title: str
    picture: bytes
    rows: list[tuple[str, ...]]
    unplaced: int
    table: bytes


def show() -> None:
    """The page."""
    head = st.container()
    left, right = st.columns((2, 3), gap="large")
    with left:
        name, convention, numbers, samples, seed = _choices()
        wanted = st.button("Draw the samples", type="primary", icon=":material/play_arrow:")
    with head:
        frame.head("Ensembles", convention)
    with right:
        if wanted:
            st.session_state.pop("drawn", None)
            try:
                st.session_state["drawn"] = _draw(name, convention, numbers, samples, seed)
            except ValueError as error:
                st.error(frame.as_text(str(error)))
                return
        if "drawn" in st.session_state:
            _show(st.session_state["drawn"])
        else:
            st.info("Choose a model and draw samples to see how its A and B are distributed.")


def plan_of(model: AbstractModel, samples: int, seed: int) -> BatchPlan:
    """The plan of a run whose distribution is drawn anew about `UPDATES` times.

    >>> plan_of(UniformSphere(n=20, density=2.0), 2000, 0).count
    16
    """
    size = LANES * -(-samples // (LANES * UPDATES))
    plan = BatchPlan.make(model, samples, seed, size, None)
    return replace(plan, lanes=min(plan.lanes, LANES))


def _choices() -> tuple[str, str, dict[str, float], int, int]:
    """Model, convention, its numbers, how many samples, and the seed."""
    key = lambda name: f"{frame.KEPT}ensemble {name}"
    name = st.selectbox("Model", MODELS, key=key("model"))
    columns = st.columns(2)
    numbers: dict[str, float] = {}
    for i, number in enumerate(MODELS[name][1]):
        place = columns[i % 2]
        st.session_state.setdefault(key(number.name), number.start)
        numbers[number.name] = place.number_input(number.label, number.least, key=key(number.name))
    st.session_state.setdefault(key("samples"), 2000)
    samples = columns[0].number_input("Samples", 1, MOST_SAMPLES, key=key("samples"))
    seed = columns[1].number_input("Seed", 0, 2**32 - 1, key=key("seed"))
    convention = st.radio(
        "Convention", ("paper", "physical"), horizontal=True, key=key("convention")
    )
    return name, convention, numbers, samples, seed


def _draw(name: str, convention: str, numbers: dict[str, float], samples: int, seed: int) -> Drawn:
    """Draw the samples in view of the page. Raises `ValueError` where none can be drawn.

    As on the command line the numbers are float32, and the run is a store that is exported.
    """
    with jax.enable_x64(False), tempfile.TemporaryDirectory(prefix="diffdip-") as made:
        model = MODELS[name][0](**numbers, convention=convention)
        plan = plan_of(model, samples, seed)
        bar, stop, picture = st.progress(0.0, "compiling …"), st.empty(), st.empty()
        stop.button("Stop", icon=":material/stop:")  # any button ends the run of the page so far
        store, table = Path(made, "run.zarr"), Path(made, "run.csv")
        run = Run(store, plan)
        shown, done = b"", 0
        fields: dict[str, list[np.ndarray]] = {"A": [], "B": []}
        for batch, arrays in plan.run(range(plan.count)):
            run.write(batch, arrays)
            done += len(arrays["A"])
            for field, parts in fields.items():
                parts.append(1e3 * arrays[field])
            shown = _picture(fields, f"{done} of {samples} samples, {name}")
            picture.image(shown)
            bar.progress(done / samples, f"{done} of {samples} samples")
        for place in (bar, stop, picture):
            place.empty()
        dataset = read_run(store)
        unplaced = int(dataset["M_A_per_m"].isnull().sum())
        if unplaced == samples:
            raise ValueError(nothing_placed(model))
        export_run(store, table)
        rows = quantile_rows(dataset)
        title = f"{samples} samples, {name}, {convention} convention, seed {seed}"
        return Drawn(title, shown, rows, unplaced, table.read_bytes())


def _picture(fields: dict[str, list[np.ndarray]], title: str) -> bytes:
    with frame.COMPUTING:
        values = {name: np.concatenate(parts) for name, parts in fields.items()}
        return figure_bytes(figure_ensemble(values, title), "png")


def _show(drawn: Drawn) -> None:
    st.image(drawn.picture)
    frame.table(("(mT)", *QUANTILE_HEADS), drawn.rows)
    st.caption(frame.as_text(drawn.title))
    if drawn.unplaced:
        frame.doubts([f"{drawn.unplaced} samples could not be placed and are empty"])
    frame.download("Table of the samples", {"run.csv": drawn.table}, "run.csv")
