"""What the tests of `diffdip sensitivity` and `diffdip infer` share."""

import csv
import json

import jax

from diffdip import UniformCylinder, simulate


SMALL = ("--model", "cylinder", "--dipoles", "20", "--samples", "60")
"""Options of a model that is computed in a second."""


def drawn(density, count, seed):
    """Samples as the commands draw them, in float32."""
    with jax.enable_x64(False):
        return simulate(UniformCylinder(n=20, density=density), count, seed, progress=False)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def strict_json(path):
    def no(constant):
        raise AssertionError(constant)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=no)
