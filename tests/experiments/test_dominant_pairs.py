"""The script that counts dominant pairs: its files, and its numbers, counted again by hand."""

import csv

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from diffdip import PAPER, Convention, NanocrystalPacking, UniformCylinder
from diffdip.dipoles.pair_ranking import dominant_pairs
from diffdip.ensembles.models import AbstractModel, Draw
from tests.helpers import scripts


SAMPLES, CRYSTALS, SEED = 70, 3, 5  # more than one block

NAMES = (
    "ensembles whose strongest pair is between different crystals",
    "ensembles whose pairs up to 80 % are all between different crystals",
    "ensembles whose strongest pair involves an extra dipole",
    "ensembles whose pairs up to 80 % involve an extra dipole, at least one of them",
    "ensembles whose pairs up to 80 % involve an extra dipole, all of them",
)

pytestmark = [pytest.mark.float32, pytest.mark.slow]


@pytest.fixture(scope="module")
def script():
    return scripts.script("dominant_pairs")


@pytest.fixture(scope="module")
def written(script, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "here"
    sizes = ["--samples", str(SAMPLES), "--crystals", str(CRYSTALS), "--seed", str(SEED)]
    script.main(["--out", str(out), *sizes])
    return out


def test_writes_its_files(script, written):
    kinds = ("csv", "pdf", "png")
    assert scripts.written(written) == {f"dominant_pairs.{kind}" for kind in kinds}
    assert (written / "dominant_pairs.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(written / "dominant_pairs.png") as image:
        assert abs(image.size[0] - 170 / 25.4 * 300) <= 1
        made_by = image.info["Description"]
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert f"dominant_pairs.py --crystals {CRYSTALS} --samples {SAMPLES} --seed {SEED};" in made_by
    for color in script.COLORS.values():
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.sum(np.all(pixels == rgb, axis=-1)) > 1000


class Labelled(AbstractModel):
    """Uniform dipoles of three crystals, some of them extra; some samples are not complete."""

    convention: Convention = eqx.field(static=True, default=PAPER)

    def draw(self, key):
        place, label, fate = jax.random.split(key, 3)
        system = UniformCylinder(30, 2.0).sample(place)
        crystal = jax.random.randint(label, (30,), 0, 3, jnp.int32)
        extra, mask = jnp.arange(30) >= 20, jnp.arange(30) < 25
        labels = (crystal, extra, mask)
        where = lambda s: (s.crystal, s.extra, s.mask)
        system = eqx.tree_at(where, system, labels, is_leaf=lambda leaf: leaf is None)
        return Draw(system, jnp.ones((), jnp.int32), jax.random.uniform(fate) < 0.8)


@eqx.filter_jit
def drawn(model, kept, between):
    """The samples of `simulate`, and their pairs."""
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(SEED), i))(jnp.arange(SAMPLES))
    draws = jax.vmap(lambda key: model.draw(key))(keys)
    pairs = lambda system: dominant_pairs(system, kept, between_crystals=between)
    return draws, jax.vmap(pairs)(draws.system)


def nearest(positions):
    """Distance of the closest pair."""
    apart = np.linalg.norm(positions[:, None] - positions, axis=-1)
    return np.min(apart[np.triu_indices(len(positions), 1)])


@pytest.mark.parametrize("between", [False, True])
def test_numbers_are_those_of_dominant_pairs(script, between):
    result = script.run_model(Labelled(), SAMPLES, SEED, between_crystals=between)
    draws, pairs = jax.device_get(drawn(Labelled(), script.KEPT, between))
    systems = draws.system
    np.testing.assert_array_equal(result["complete"], draws.complete)
    np.testing.assert_allclose(result["share"], pairs.share[:, 0], rtol=1e-5)
    np.testing.assert_allclose(result["extra_dipoles"], 5 / 25, rtol=1e-6)
    rows = []
    for i in range(SAMPLES):
        numbers = {}
        for part in (50, 80, 90):
            enough = np.flatnonzero(pairs.cumulative[i] >= part / 100)
            numbers[part] = enough[0] + 1 if len(enough) else script.KEPT + 1
            assert result[f"pairs_{part}"][i] == numbers[part]
        ends = np.stack([pairs.first[i], pairs.second[i]])[:, : numbers[80]]
        different = systems.crystal[i, ends[0]] != systems.crystal[i, ends[1]]
        added = systems.extra[i, ends[0]] | systems.extra[i, ends[1]]
        assert result["extra_first"][i] == added[0]
        assert result["extra_80"][i] == added.sum()
        if between:
            assert different.all()
        else:
            assert result["different_first"][i] == different[0]
            assert result["different_80"][i] == different.sum()
        rows.append((different[0], different.all(), added[0], added.any(), added.all()))
    values = {name: row["value"] for name, row in script.summary(result).items()}
    shares = dict(zip(NAMES, np.mean(np.array(rows)[draws.complete], axis=0), strict=True))
    if between:
        # true by the choice of the pairs
        assert [values[name] for name in NAMES[:2]] == [None, None]
        assert "different_first" not in result
        shares = {name: shares[name] for name in NAMES[2:]}
    else:
        closest = [nearest(p[m]) for p, m in zip(systems.positions, systems.mask, strict=True)]
        np.testing.assert_allclose(result["distance"], closest, rtol=1e-5)
    assert 0 < min(shares.values()) < max(shares.values()) < 1
    for name, share in shares.items():
        assert values[name] == pytest.approx(share)


@pytest.mark.parametrize(
    ("column", "spacing", "between"), [(1, 0.0, False), (2, 0.0, True), (3, 0.26, False)]
)
def test_the_table_shows_the_cases(script, written, column, spacing, between):
    with jax.enable_x64(True):  # as the script does
        model = NanocrystalPacking(CRYSTALS, extra_spacing=spacing)
        result = script.run_model(model, SAMPLES, SEED, between_crystals=between)
    lines = (written / "dominant_pairs.csv").read_text(encoding="utf-8").splitlines()
    printed = {row[0]: row[column] for row in csv.reader(lines)}
    for name, row in script.summary(result).items():
        assert printed[name] == ("" if row["value"] is None else f"{row['value']:.4g}")
    if not between:
        # the rule keeps dipoles of one crystal apart, without it some are closer
        same = ~result["different_first"]
        assert (result["distance"][same].min() < 0.2599) == (spacing == 0)


def counted(**changes):
    """Three samples, of which the last could not be placed."""
    result = {
        "complete": [True, True, False],
        "pairs_50": [1, 2, 257],
        "pairs_80": [2, 4, 257],
        "pairs_90": [5, 257, 257],
        "distance": [0.1, 0.3, np.nan],
        "share": [0.5, 0.7, np.nan],
    }
    return {name: np.array(values) for name, values in (result | changes).items()}


def test_summary_by_hand(script):
    crystals = {
        "different_first": [True, False, False],
        "different_80": [2, 1, 0],
        "extra_first": [False, False, False],
        "extra_80": [1, 0, 0],
        "extra_dipoles": [0.1, 0.2, 0.9],
    }
    rows = script.summary(counted(**crystals))
    values = {name: row["value"] for name, row in rows.items()}
    expected = {
        "ensembles": 2,
        "ensembles that could not be placed": 1,
        "ensembles where 1 pair carries 50 %": 0.5,
        "ensembles where 4 pairs or fewer carry 80 %": 1,
        "ensembles where 4 pairs or fewer carry 90 %": 0,
        "ensembles where 256 pairs do not carry 90 %": 0.5,
        "share of the strongest pair in D, median": 0.6,
        "distance of the strongest pair (nm), median": 0.2,
        "ensembles whose strongest pair is between different crystals": 0.5,
        "ensembles whose pairs up to 80 % are all between different crystals": 0.5,
        "pairs up to 80 % between different crystals, mean of ensembles": (1 + 1 / 4) / 2,
        "ensembles whose strongest pair involves an extra dipole": 0,
        "ensembles whose pairs up to 80 % involve an extra dipole, at least one of them": 0.5,
        "ensembles whose pairs up to 80 % involve an extra dipole, all of them": 0,
        "dipoles that are extra": 0.15,
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    claims = {row["claim"] for row in rows.values()}
    assert claims >= {"2-4", "a few angstrom", "different crystals", "most of the ensembles"}


def test_summary_without_crystals(script):
    rows = script.summary(counted())
    none = [name for name, row in rows.items() if row["value"] is None]
    assert len(none) == 7
    assert all("crystals" in name or "extra" in name for name in none)
