"""The page "Ensembles": samples of a model, their distribution as it builds up, and their table."""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import streamlit as st

from ..ensembles.models import AbstractModel, UniformBox, UniformCylinder, UniformSphere
from ..ensembles.nanocrystal_packing import NanocrystalPacking
from ..ensembles.simulation import BatchPlan, lanes_on, nothing_placed
from ..foundation.flags import Flag
from ..io.durable_runs import Run, read_run
from ..io.run_tables import QUANTILE_HEADS, export_run, quantile_rows
from ..report.figures.style import figure_bytes
from ..report.figures.ensembles import figure_ensemble
from . import frame


UPDATES = 20
"""The distribution is drawn anew up to about so many times."""

MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class Number:
    """A parameter of a model: its name there and on the page, where it starts, and its bounds."""

    name: str
    label: str
    start: float
    least: float = 0.0  # whole where the number is
    most: float | None = None


@dataclass(frozen=True)
class Asked:
    """What is drawn: a model by its name on the page, its numbers by name, samples and seed."""

    model: str
    numbers: tuple[tuple[str, float], ...]
    convention: str
    samples: int
    seed: int

    def sentence(self) -> str:
        """All of it on one line."""
        labels = {number.name: number.label for number in MODELS[self.model][1]}
        numbers = ", ".join(f"{labels[name]} {value:.10g}" for name, value in self.numbers)
        return f"{self.model}, {self.convention} convention, seed {self.seed}: {numbers}"


PACKING = (
    Number("n_crystals", "Crystals", 20, 1, 5000),
    Number("dipoles_per_crystal", "Dipoles per crystal", 10, 1, 100),
    Number("diameter", "Diameter of a core (nm)", 2.7),
    Number("volume_fraction", "Volume fraction of the cores", 0.2),
    Number("ligand_mean", "Ligand thickness (nm)", 0.3),
    Number("ligand_sd", "Spread of the thickness (nm)", 0.3),
    Number("extra_below", "Extra dipole below a thickness of (nm)", 0.3),
    Number("kappa", "Concentration κ of extra dipoles", 3.0),
    Number("bond_length", "Bond length (nm)", 0.26),
    Number("extra_spacing", "Spacing of extra dipoles (nm)", 0.26),
    Number("moment", "Moment (µB)", 1.73),
)
UNIFORM = (
    Number("n", "Dipoles", 1000, 2, 20_000),
    Number("density", "Dipoles per nm³", 2.0),
    Number("moment", "Moment (µB)", 1.73),
)

MODELS: dict[str, tuple[Callable[..., AbstractModel], tuple[Number, ...]]] = {
    "packed crystals": (NanocrystalPacking, PACKING),
    "uniform in a cylinder": (
        UniformCylinder,
        (*UNIFORM, Number("aspect", "Height over diameter", 1.0)),
    ),
    "uniform in a sphere": (UniformSphere, UNIFORM),
    "uniform in a cube": (UniformBox, UNIFORM),
}


@dataclass
class Drawing:
    """A run as far as it went, in a folder that goes with this object.

    Streamlit stops a script by leaving it behind: what it draws has to be in the session before.
    """

    asked: Asked
    latest: tuple[int, bytes] = (0, b"")  # samples, and the picture of them

    def __post_init__(self):
        folder = tempfile.mkdtemp(prefix="diffdip-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.store = Path(folder, "run.zarr")

    def table(self) -> bytes:
        """The samples as `diffdip export` writes them."""
        target = self.store.with_suffix(".csv")
        export_run(self.store, target)
        return target.read_bytes()


def show() -> None:
    """The page."""
    head = st.container()
    left, right = st.columns((2, 3), gap="large")
    with left:
        asked = _choices()
        wanted = st.button("Draw the samples", type="primary", icon=":material/play_arrow:")
    with head:
        frame.head("Ensembles", asked.convention)
    with right:
        if wanted:
            try:
                _draw(asked)
            except (ValueError, OSError) as error:
                st.error(frame.as_text(str(error)))
            except jax.errors.JaxRuntimeError as error:
                reason = str(error).splitlines()[0]
                st.error(frame.as_text(f"the samples could not be computed: {reason}"))
        drawing: Drawing | None = st.session_state.get("drawing")
        if drawing is not None and drawing.latest[0]:
            _show(drawing, asked)
        elif not wanted:
            st.info("Choose a model and draw samples to see how its A and B are distributed.")


def plan_of(model: AbstractModel, samples: int, seed: int) -> BatchPlan:
    """The plan of a run in batches of what is computed at once, or several times that.

    >>> plan_of(UniformSphere(n=2000, density=2.0), 2000, 0).count
    16
    """
    lanes = lanes_on(model)
    return BatchPlan.make(model, samples, seed, lanes * -(-samples // (lanes * UPDATES)), None)


def _choices() -> Asked:
    """What the widgets say."""
    key = lambda name: f"{frame.KEPT}ensemble {name}"
    name = st.selectbox("Model", MODELS, key=key("model"))
    columns = st.columns(2)
    numbers: list[tuple[str, float]] = []
    for i, number in enumerate(MODELS[name][1]):
        place = columns[i % 2]
        st.session_state.setdefault(key(number.name), number.start)
        form = "%d" if isinstance(number.start, int) else "%g"
        value = place.number_input(
            number.label, number.least, number.most, format=form, key=key(number.name)
        )
        numbers.append((number.name, value))
    st.session_state.setdefault(key("samples"), 2000)
    samples = columns[0].number_input("Samples", 2, MOST_SAMPLES, key=key("samples"))
    seed = columns[1].number_input("Seed", 0, 2**32 - 1, key=key("seed"))
    convention = st.radio(
        "Convention", ("paper", "physical"), horizontal=True, key=key("convention")
    )
    return Asked(name, tuple(numbers), convention, samples, seed)


def _draw(asked: Asked) -> None:
    """Draw the samples in view of the page. Raises `ValueError` where none can be drawn.

    As on the command line the numbers are float32, and the run is a store that is exported.
    """
    st.session_state.pop("drawing", None)
    with jax.enable_x64(False):
        model = MODELS[asked.model][0](**dict(asked.numbers), convention=asked.convention)
        plan = plan_of(model, asked.samples, asked.seed)
        drawing = st.session_state["drawing"] = Drawing(asked)
        bar, stop, picture = st.progress(0.0, "compiling …"), st.empty(), st.empty()
        # as any widget does, between two batches
        stop.button("Stop after this batch", icon=":material/stop:")
        run = Run(drawing.store, plan)
        done, unplaced = 0, 0
        fields: dict[str, list[np.ndarray]] = {"A": [], "B": []}
        try:
            for batch, arrays in plan.run(range(plan.count)):
                run.write(batch, arrays)
                done += len(arrays["A"])
                unplaced += int(np.isnan(arrays["M"]).sum())
                for field, parts in fields.items():
                    parts.append(1e3 * arrays[field])
                shown = _picture(fields, f"{done} of {asked.samples} samples, {asked.model}")
                drawing.latest = done, shown
                picture.image(shown)
                bar.progress(done / asked.samples, f"{done} of {asked.samples} samples")
        finally:
            for place in (bar, stop, picture):
                place.empty()
        if unplaced == done:
            del st.session_state["drawing"]
            raise ValueError(nothing_placed(model))


def _picture(fields: dict[str, list[np.ndarray]], title: str) -> bytes:
    with frame.COMPUTING:
        values = {name: np.concatenate(parts) for name, parts in fields.items()}
        return figure_bytes(figure_ensemble(values, title), "png")


def _show(drawing: Drawing, asked: Asked) -> None:
    done, picture = drawing.latest
    told = drawing.asked.sentence()
    if done < drawing.asked.samples:
        st.info(f"Stopped after {done} of {drawing.asked.samples} samples.")
    if drawing.asked != asked:
        st.info("The choices beside were changed since: draw again.")
    st.image(picture, alt=f"Distributions of |A| and |B|: {told}")
    dataset = read_run(drawing.store).isel(sample=slice(done))
    unplaced = int(dataset["M_A_per_m"].isnull().sum())
    if unplaced < done:
        frame.table(("(mT)", *QUANTILE_HEADS), quantile_rows(dataset))
    st.caption(frame.as_text(told))
    if unplaced:
        message = f"{unplaced} samples could not be placed. Their rows are empty."
        frame.doubts([Flag("unplaced-samples", message)])
    frame.download("Table of the samples", lambda: {"run.csv": drawing.table()}, "run.csv")
