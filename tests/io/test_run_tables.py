"""Tables of stored runs."""

import numpy as np
import pytest
import xarray as xr

from diffdip.io.run_tables import unplaced_flags


@pytest.mark.parametrize(
    ("magnetization", "codes"),
    [([1e5, 2e5], []), ([np.nan, 2e5, np.nan], ["unplaced-samples"])],
)
def test_samples_that_could_not_be_placed_are_a_doubt(magnetization, codes):
    starts = [1] * len(magnetization)
    dataset = xr.Dataset({"M_A_per_m": ("sample", magnetization), "starts": ("sample", starts)})
    flags = unplaced_flags(dataset)
    assert [flag.code for flag in flags] == codes
    assert all(flag.message.startswith("2 samples") for flag in flags)
