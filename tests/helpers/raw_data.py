"""Raw instrument data beside the checkout, and marks for tests that need them."""

from pathlib import Path

import pytest


DATA = Path(__file__).parent.parent.parent.parent / "shared" / "data"
GONIOMETER, ROTATION = DATA / "goniometer_magnettech", DATA / "esp_mgo_rotation"
EPRFILES = DATA / "easyspin_eprfiles"
needs_goniometer = pytest.mark.skipif(
    not GONIOMETER.is_dir(), reason="the raw sweeps are not beside the checkout"
)
needs_rotation = pytest.mark.skipif(
    not ROTATION.is_dir(), reason="the raw rotation is not beside the checkout"
)

needs_eprfiles = pytest.mark.skipif(
    not EPRFILES.is_dir(), reason="the files of other instruments are not beside the checkout"
)
