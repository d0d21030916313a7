"""`diffdip ensemble` and `diffdip export`: durable runs over thousands of samples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..foundation.progress import progress_bar
from .common import (
    INTERRUPTED,
    ModelOptions,
    SeedOption,
    app,
    console,
    fail,
    with_model,
)


if TYPE_CHECKING:
    import xarray as xr


@app.command()
@with_model
def ensemble(
    *,
    out: Annotated[Path, typer.Option(help="Store to write (zarr), or to go on with: run.zarr.")],
    samples: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 2000,
    seed: SeedOption = 0,
    chosen: ModelOptions,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples written at a time; all that a kill loses.")
    ] = None,
    double: Annotated[bool, typer.Option("--float64", help="Compute in float64.")] = False,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed", help="Share the work among the processes of a SLURM or MPI job."
        ),
    ] = False,
    coordinator: Annotated[
        str | None, typer.Option(help="host:port of the first process, where nothing else says.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="With --coordinator: number of processes.")
    ] = None,
    process_id: Annotated[
        int | None, typer.Option(min=0, help="With --coordinator: number of this one, from 0.")
    ] = None,
) -> None:
    """Distributions of A, B, C over thousands of computer-made samples.

    Batches are written as they finish. Killed and started again with the same options, a run goes
    on where it stopped and ends with the same bytes. Sample i is the same in every run.

    [bold]Examples[/bold]

        diffdip ensemble --crystals 20 --samples 2000 --out run.zarr

        diffdip ensemble --model cylinder --dipoles 1000 --samples 1000000 --out uniform.zarr

        srun -n 8 diffdip ensemble --distributed --samples 1000000 --out big.zarr

        diffdip export run.zarr run.csv
    """
    import jax
    import numpy as np

    if distributed or coordinator is not None:
        _join(coordinator, processes, process_id)
    elif processes is not None or process_id is not None:
        fail("--processes and --process-id need --coordinator host:port")

    from ..ensembles.simulation import BatchPlan, nothing_placed
    from ..io import OutputError
    from ..io.durable_runs import RunError, default_batch, read_run, simulate_to

    with jax.enable_x64(double):
        try:
            arrangement = chosen.build()
            size = default_batch(arrangement, out) if batch is None else batch
            plan = BatchPlan.make(arrangement, samples, seed, size, None)
            with progress_bar("sampling", samples) as advance:
                simulate_to(
                    out,
                    plan,
                    process=jax.process_index(),
                    processes=jax.process_count(),
                    advance=advance,
                )
            first = jax.process_index() == 0
            dataset = read_run(out) if first else None
        except (ValueError, RunError, OutputError) as error:
            fail(str(error))
        except jax.errors.JaxRuntimeError as error:
            fail(f"the samples could not be computed: {str(error).splitlines()[0]}")
        except KeyboardInterrupt:
            typer.echo("diffdip: stopped; the same command goes on from here", err=True)
            raise typer.Exit(INTERRUPTED) from None
    if jax.process_count() > 1:
        jax.distributed.shutdown()
    if dataset is None:
        return
    unplaced = int(dataset["M_A_per_m"].isnull().sum())
    if unplaced == samples:
        fail(f"{nothing_placed(arrangement)} {out} holds empty samples")
    if not np.isfinite(dataset["B_mT"].values).any():
        fail(f"no sample has a finite B: are these sizes meant? {out} holds what was found")
    _print_run(dataset, out, unplaced)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Store written by diffdip ensemble.")],
    target: Annotated[Path, typer.Argument(help="File to write: name.csv or name.nc (NetCDF).")],
) -> None:
    """Write a run as a table (CSV) or as NetCDF, for pandas, Origin, MATLAB.

    A CSV file has one row a sample and one comment line with the settings of the run; a run that
    is not complete has empty cells.

    [bold]Example[/bold]

        diffdip export run.zarr run.csv
    """
    from ..io import OutputError
    from ..io.durable_runs import RunError
    from ..io.run_tables import export_run

    try:
        export_run(run, target)
    except (RunError, OutputError) as error:
        fail(str(error))
    console().print(f"wrote {target}", markup=False, soft_wrap=True)


def _join(coordinator: str | None, processes: int | None, process_id: int | None) -> None:
    """Become one of several processes, by JAX's own runtime."""
    import jax

    if coordinator is not None and (processes is None or process_id is None):
        fail("--coordinator needs --processes and --process-id")
    if coordinator is not None and not coordinator.rpartition(":")[2].isdigit():
        fail(f"--coordinator {coordinator}: expected host:port")
    # the others go on when one is killed, and it can join again
    jax.config.update("jax_enable_recoverability", True)
    try:
        jax.distributed.initialize(coordinator, processes, process_id)
    except (RuntimeError, ValueError) as error:
        fail(f"the processes could not be joined: {str(error).splitlines()[0]}")


def _print_run(dataset: "xr.Dataset", out: Path, unplaced: int) -> None:
    import numpy as np

    from ..io.run_tables import QUANTILE_HEADS, quantile_rows

    settings = dataset.attrs
    shown = console()
    table = Table(
        title=f"{settings['n_samples']} samples of {settings['model']['type']}, "
        f"{settings['model']['convention']} convention, seed {settings['seed']}",
        title_justify="left",
    )
    table.add_column("(mT)")
    for head in QUANTILE_HEADS:
        table.add_column(head, justify="right")
    for row in quantile_rows(dataset):
        table.add_row(*row)
    shown.print(table)
    number = dataset["n_dipoles"].values
    shown.print(
        f"{number.mean():.4g} dipoles on average, closest pair "
        f"{np.nanmedian(dataset['closest_nm'].values):.3g} nm in the median"
    )
    if unplaced:
        shown.print(f"{unplaced} samples could not be placed and are empty")
    shown.print(f"wrote {out}", markup=False, soft_wrap=True)
