"""`diffdip ensemble` and `diffdip export`: durable runs over thousands of samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..foundation.errors import InputError
from ..foundation.interruption import advise
from .common import MODELS, DoubleOption, ForceOption, SeedOption, command, fail
from .model_options import ModelOptions, with_model
from .output import (
    console,
    print_doubt,
    print_json,
    print_line,
    print_table,
    samples_title,
)


if TYPE_CHECKING:
    import xarray as xr


@command(MODELS, has_json=True)
@with_model
def ensemble(
    *,
    out: Annotated[
        Path,
        typer.Option(metavar="STORE", help="Zarr store to write or to resume, such as run.zarr."),
    ],
    samples: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 2000,
    seed: SeedOption = 0,
    chosen: ModelOptions,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default="as many as take about a second",
            help="Number of samples that are computed and written together. An interrupted run "
            "loses at most one batch. A stored run keeps its own number.",
        ),
    ] = None,
    double: DoubleOption = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Compute damaged samples of a stored run once more.")
    ] = False,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed", help="Divide the work among the processes of a SLURM or MPI job."
        ),
    ] = False,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Address of the first process, outside of SLURM and MPI. Needs --processes and "
            "--process-id.",
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Number of processes, with --coordinator.")
    ] = None,
    process_id: Annotated[
        int | None, typer.Option(min=0, help="Number of this process, from 0, with --coordinator.")
    ] = None,
) -> None:
    """Simulate many samples of a model and store their A, B and C.

    Each batch of samples is written as soon as it is computed. An interrupted run resumes when it
    is started again with the same options, and gives byte-identical output. With more --samples a
    finished run goes on. It prints quantiles of |A|, |B| and |C|; diffdip export writes the samples
    as a table.

    [bold]Examples[/bold]

        diffdip ensemble --crystals 20 --samples 2000 --out run.zarr

        diffdip ensemble --model cylinder --samples 100000 --out uniform.zarr

        srun -n 8 diffdip ensemble --distributed --samples 1000000 --out big.zarr

        diffdip export run.zarr run.csv
    """
    advise("The same command resumes the run")
    import jax
    import numpy as np

    if distributed or coordinator is not None:
        _join(coordinator, processes, process_id)
    elif processes is not None or process_id is not None:
        raise InputError("--processes and --process-id", expected="--coordinator as well")

    from ..ensembles.simulation import BatchPlan, nothing_placed
    from ..foundation.progress import progress_bar
    from ..io.durable_runs import simulate_to
    from ..io.run_store import read_run

    with jax.enable_x64(double):
        try:
            arrangement = chosen.build()
            plan = BatchPlan.make(arrangement, samples, seed, batch, None)
            with progress_bar("sampling", samples) as advance:
                simulate_to(
                    out,
                    plan,
                    process=jax.process_index(),
                    processes=jax.process_count(),
                    repair=repair,
                    advance=advance,
                )
            first = jax.process_index() == 0
            # another command may have added samples meanwhile
            dataset = read_run(out).isel(sample=slice(samples)) if first else None
        except jax.errors.JaxRuntimeError as error:
            fail(f"the samples could not be computed: {str(error).splitlines()[0]}")
    if jax.process_count() > 1:
        jax.distributed.shutdown()
    if dataset is None:
        return
    if not dataset["M_A_per_m"].notnull().any():
        raise nothing_placed(arrangement).at(str(out))
    if not np.isfinite(dataset["B_mT"].values).any():
        fail(f"{out}: no sample has a finite B. Check the sizes and the moment of the model")
    _print_run(dataset, out)


@command(MODELS)
def export(
    run: Annotated[Path, typer.Argument(help="Zarr store written by diffdip ensemble.")],
    target: Annotated[Path, typer.Argument(help="File to write: name.csv or name.nc (NetCDF).")],
    skip_damaged: Annotated[
        bool,
        typer.Option("--skip-damaged", help="Treat samples that cannot be read as missing."),
    ] = False,
    force: ForceOption = False,
) -> None:
    """Write the samples of diffdip ensemble as a CSV table or as NetCDF.

    A CSV file has a comment line with the settings of the run and one row for each sample. In a run
    that is not complete, the cells of missing samples are empty, and the command says which these
    are. pandas, Origin and MATLAB read these files.

    [bold]Examples[/bold]

        diffdip export run.zarr run.csv

        diffdip export run.zarr run.nc
    """
    from ..io.run_tables import export_run

    flags = export_run(run, target, skip_damaged=skip_damaged, force=force)
    shown = console()
    for flag in flags:
        print_doubt(shown, str(flag))
    print_line(shown, f"wrote {target}")


def _join(coordinator: str | None, processes: int | None, process_id: int | None) -> None:
    """Join the processes of a job through JAX."""
    import jax

    if coordinator is not None and (processes is None or process_id is None):
        raise InputError("--coordinator", expected="--processes and --process-id as well")
    if coordinator is not None and not coordinator.rpartition(":")[2].isdigit():
        raise InputError("--coordinator", given=coordinator, expected="host:port")
    # if one process is killed, the others continue and it can join again
    jax.config.update("jax_enable_recoverability", True)
    # it would take SIGTERM for itself, and the process would go on
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(coordinator, processes, process_id)
    except (RuntimeError, ValueError) as error:
        fail(f"the processes could not be connected: {str(error).splitlines()[0]}")


def _print_run(dataset: "xr.Dataset", out: Path) -> None:
    from ..io.run_tables import (
        QUANTILE_HEADS,
        quantile_rows,
        run_document,
        typical,
        unplaced_flags,
    )

    shown = console()
    settings = dataset.attrs | {"n_samples": dataset.sizes["sample"]}
    print_table(
        shown,
        samples_title(settings),
        ("(mT)", *QUANTILE_HEADS),
        [quantile_rows(dataset)],
        dropped=(QUANTILE_HEADS[-1], "1 %", "99 %"),
    )
    number, closest = typical(dataset)
    print_line(
        shown,
        f"mean number of dipoles {number:.4g}, median distance of the closest pair "
        f"{closest:.3g} nm",
    )
    for flag in unplaced_flags(dataset):
        print_doubt(shown, str(flag))
    print_line(shown, f"wrote {out}")
    print_json(lambda: run_document(dataset))
