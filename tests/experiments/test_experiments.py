"""The scripts, and `reproduce` that runs all of them, with few samples and in one process."""

import csv
import io
import json
from pathlib import Path

import matplotlib.text
import numpy as np
import pytest
import scipy.constants
from PIL import Image
from scipy.integrate import quad
from scipy.stats import ks_2samp

from tests.helpers.scripts import script, written


ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow
BOHR = scipy.constants.physical_constants["Bohr magneton"][0]
SMALL = ["--samples", "40", "--seed", "1"]


@pytest.fixture(scope="module")
def scripts():
    """`reproduce` with its modules, in sizes that are compiled once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        reproduce = script("reproduce")
        patch.setattr(reproduce.figure3, "QUICK_DIPOLES", 30)
        patch.setattr(reproduce.figure5, "QUICK_SIZES", (3,))
        patch.setattr(reproduce.figure5, "QUICK_SAMPLES", 40)
        patch.setattr(reproduce.figure4, "CRYSTALS", 3)
        patch.setattr(reproduce.figure4, "SAMPLES", 40)
        patch.setattr(reproduce.finite_size, "QUICK_SIZES", (3,))
        patch.setattr(reproduce.finite_size, "QUICK_SECONDS", 0.01)
        patch.setattr(reproduce.collinearity, "QUICK_SIZES", (3,))
        patch.setattr(reproduce.collinearity, "QUICK_RATIOS", (0.1, 10.0, 1000.0))
        # these have their own tests and take long to compile
        patch.setattr(reproduce.dominant_pairs, "run_model", counted)
        rest = {name: part for name, part in reproduce.ALL_PARTS.items() if name != "first look"}
        patch.setattr(reproduce, "ALL_PARTS", rest)
        yield reproduce


def counted(model, samples, seed, between_crystals=False):
    """Made-up results of `dominant_pairs.run_model`: 3 pairs dominate, always the same."""
    ones = np.ones(samples)
    result = {f"pairs_{part}": 3 * ones.astype(int) for part in (50, 80, 90)}
    result |= {"distance": 0.3 * ones, "share": 0.6 * ones, "complete": ones > 0}
    if hasattr(model, "n_crystals"):
        if not between_crystals:
            between = ones > 0 if model.extra_spacing > 0 else ones < 0
            result |= {"different_first": between, "different_80": 3 * between}
        result |= {"extra_first": ones > 0, "extra_80": ones, "extra_dipoles": 0.1 * ones}
    return result


@pytest.fixture(scope="module")
def everything(scripts, tmp_path_factory):
    """The folder that `reproduce --quick` writes."""
    out = tmp_path_factory.mktemp("all") / "out"
    assert set(scripts.reproduce(out, quick=True, seed=1)) == set(out.iterdir())
    return out


@pytest.fixture(scope="module")
def ensembles(scripts):
    return scripts.figure5.run((3,), 40, 1)


@pytest.fixture(scope="module")
def two_sizes(scripts, ensembles):
    """A second seed in place of a second size, which would have to be compiled."""
    others = scripts.figure5.run((3,), 40, 2)
    return {
        (spacing, size): drawn[spacing, 3]
        for spacing in scripts.figure5.SPACINGS
        for size, drawn in ((2, others), (3, ensembles))
    }


@pytest.fixture(scope="module")
def packings(scripts):
    return scripts.figure4.run(3, 40, 1)


def strict_json(path):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


PICTURES = ("figure1", "figure3", "figure4", "figure5", "dominant_pairs", "finite_size")
PICTURES += ("collinearity",)


def test_reproduce_writes_everything(everything):
    names = {f"{name}.{kind}" for name in PICTURES for kind in ("png", "pdf")}
    names |= {"figure4.json", "figure5.json", "finite_size.json", "claims.json", "claims.md"}
    names |= {"figure5.csv", "finite_size.csv", "dominant_pairs.csv", "collinearity.csv"}
    assert written(everything) == names


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_say_what_made_them(everything, name):
    with Image.open(everything / f"{name}.png") as image:
        made_by = image.info["Description"]
        pixels = np.asarray(image.convert("L"))
    assert made_by.startswith("diffdip ")
    convention = "physical" if name == "collinearity" else "paper"
    assert f"convention {convention}" in made_by
    assert f"experiments/{name}.py" in made_by
    assert ("--seed " in made_by) == (name != "figure1")
    assert 0.5 < np.mean(pixels > 250) < 1  # neither empty nor covered
    # nothing is cut off at the edges
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert rim.min() == 255
    assert (everything / f"{name}.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("name", "arguments", "files"),
    [
        ("figure4", ["--crystals", "3", *SMALL], {"figure4.json"}),
        ("figure5", ["--sizes", "3", *SMALL], {"figure5.csv", "figure5.json"}),
        (
            "finite_size",
            ["--sizes", "3", "--seconds", "0.01", *SMALL],
            {"finite_size.csv", "finite_size.json"},
        ),
    ],
)
def test_each_script_by_itself(scripts, everything, name, arguments, files, tmp_path, capsys):
    getattr(scripts, name).main([*arguments, "--out", str(tmp_path)])
    assert written(tmp_path) == files | {f"{name}.png", f"{name}.pdf"}
    printed = capsys.readouterr().out
    assert all(file in printed for file in files)
    for file in files:  # the same seed gives the same numbers again
        assert (tmp_path / file).read_bytes() == (everything / file).read_bytes()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("first_look", []),
        ("figure1", []),
        ("figure3", ["--seed", "--dipoles"]),
        ("figure4", ["--seed", "--crystals", "--samples"]),
        ("figure5", ["--seed", "--sizes", "--samples", "--quick"]),
        ("dominant_pairs", ["--seed", "--crystals", "--samples"]),
        ("finite_size", ["--seed", "--sizes", "--samples", "--seconds", "--quick"]),
        ("collinearity", ["--seed", "--sizes", "--samples", "--quick"]),
        ("claims", ["--seed", "--samples", "--quick"]),
    ],
)
def test_help_shows_the_options_and_an_example(scripts, name, options, capsys):
    with pytest.raises(SystemExit) as stop:
        getattr(scripts, name).main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in (*options, "--out", f"python experiments/{name}.py"):
        assert word in text


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("figure3", "--dipoles", "1"),
        ("figure3", "--dipoles", "0"),
        ("figure3", "--dipoles", "-3"),
        ("figure3", "--dipoles", "many"),
        ("figure4", "--crystals", "1"),
        ("figure5", "--sizes", "1"),
        ("dominant_pairs", "--samples", "0"),
        ("dominant_pairs", "--crystals", "1"),
    ],
)
def test_what_has_no_pairs_is_refused(scripts, name, option, value, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        getattr(scripts, name).main([option, value, "--out", str(tmp_path / "none")])
    assert stop.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert option in line
    assert value in line
    assert not (tmp_path / "none").exists()


def test_an_unwritable_folder_is_one_line(scripts, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        scripts.figure1.main(["--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("figure1: ")
    assert str(tmp_path / "out") in line


def test_packings_are_what_the_rules_say(scripts, packings):
    assert len(packings.thickness) == 40 * 2 * 2
    assert np.all(packings.thickness >= 0)
    assert len(packings.turned) == np.sum(packings.thickness < 0.3)
    np.testing.assert_allclose(np.linalg.norm(packings.turned, axis=1), 1, rtol=1e-12)
    distance = np.linalg.norm(packings.positions[:, None] - packings.centers, axis=-1)
    np.testing.assert_allclose(distance.min(axis=1), 2.7 / 2, rtol=1e-12)
    assert packings.volume == pytest.approx(3 * np.pi / 6 * 2.7**3 / 0.2)
    # each crystal's gap to its parent is the sum of two thicknesses of this packing
    gaps = packings.thickness[:4].reshape(2, 2).sum(axis=1)
    apart = np.linalg.norm(packings.centers[:, None] - packings.centers, axis=-1) - 2.7
    for gap in gaps:
        assert np.min(np.abs(apart - gap)) < 1e-12


def test_the_drawn_laws_are_normalized(scripts, packings):
    law = scripts.figure4.thickness_law(packings.model)
    assert quad(law.pdf, 0, 5)[0] == pytest.approx(1)
    assert law.pdf(0.6) / law.pdf(0.3) == pytest.approx(np.exp(-0.5))
    density = lambda c: 3 / (2 * np.sinh(3)) * np.exp(3 * c)
    for cosine in (-0.5, 0.3, 1.0):
        expected = quad(density, -1, cosine)[0]
        assert scripts.figure4.fisher_cumulative(cosine, 3.0) == pytest.approx(expected)


def test_the_nearer_sphere_hides_the_other(scripts):
    centers = np.array([[0.0, 0, -1], [0.3, 0, 1], [0, 0.9, 3]])
    colors = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    image = scripts.figure4.render(centers, np.array([0.5, 0.4, 0.05]), colors, 1.0, 100)
    alpha = image[..., 3]
    at = lambda x, y: image[int((y + 1) * 50), int((x + 1) * 50)]
    assert np.argmax(at(0.3, 0.0)[:3]) == 1
    assert np.argmax(at(-0.3, 0.0)[:3]) == 0
    assert np.argmax(at(0.0, 0.9)[:3]) == 2
    assert at(-0.9, -0.9)[3] == 0
    union = np.pi * (0.5**2 + 0.4**2 + 0.05**2) - lens(0.3, 0.5, 0.4)
    assert alpha.mean() * 4 == pytest.approx(union, rel=0.02)


def lens(d, r, s):
    """Area common to two circles."""
    a = np.arccos((d * d + r * r - s * s) / (2 * d * r))
    b = np.arccos((d * d + s * s - r * r) / (2 * d * s))
    return r * r * (a - np.sin(2 * a) / 2) + s * s * (b - np.sin(2 * b) / 2)


def test_table_of_figure5(scripts, ensembles):
    rows = scripts.figure5.statistics(ensembles, "B")
    assert [(r["extra_spacing_nm"], r["n_crystals"]) for r in rows] == list(ensembles)
    for row, ensemble in zip(rows, ensembles.values(), strict=True):
        values = 1e3 * np.abs(ensemble.B)
        points = np.percentile(values, [1, 50, 99])
        assert row["median_mT"] == pytest.approx(np.median(values), rel=1e-12)
        assert row["decades"] == pytest.approx(np.log10(points[2] / points[0]), rel=1e-12)
        shares = [100 * np.mean(values < b) for b in (204.6, 24.1)]
        np.testing.assert_allclose(row["percentiles_I_II"], shares, rtol=1e-12)
        assert row["mean_dipoles"] == pytest.approx(ensemble.n_dipoles.mean())
        field = scipy.constants.mu_0 * 1.73 * 9.2740100657e-24 * row["mean_dipoles"]
        volume = row["n_crystals"] * np.pi / 6 * 2.7e-9**3 / 0.2
        assert row["mu0_M_mT"] == pytest.approx(1e3 * field / volume, rel=1e-6)
        text = scripts.figure5.table(ensembles)
        assert f"{np.median(values):6.2f} (" in text
    # without the rule only dipoles of one crystal can come closer, never fewer ones
    far, near = ensembles[0.26, 3], ensembles[0.0, 3]
    np.testing.assert_array_equal(far.n_dipoles, near.n_dipoles)
    assert np.median(near.closest) < np.median(far.closest)


def test_sizes_are_compared(scripts, two_sizes):
    rows = scripts.figure5.comparisons(two_sizes, "B")
    assert [(r["extra_spacing_nm"], r["n_crystals"]) for r in rows] == [
        (0.0, [2, 3]),
        (0.26, [2, 3]),
    ]
    table = scripts.figure5.table(two_sizes)
    for row in rows:
        spacing = row["extra_spacing_nm"]
        test = ks_2samp(*(np.abs(two_sizes[spacing, size].B) for size in (2, 3)))
        assert row["statistic"] == pytest.approx(test.statistic)
        assert row["p_value"] == pytest.approx(test.pvalue, rel=0.05)
        assert f"{test.statistic:.3f}, p = {row['p_value']:.2g}" in table


def test_histograms_in_the_csv(everything, ensembles):
    text = (everything / "figure5.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    for (spacing, size), ensemble in ensembles.items():
        own = [
            r
            for r in rows
            if (r["field"], r["extra_spacing_nm"], r["n_crystals"])
            == ("A", f"{spacing:g}", str(size))
        ]
        edges = np.array([float(r["from_mT"]) for r in own] + [float(own[-1]["to_mT"])])
        counts = np.histogram(1e3 * np.abs(ensemble.A), edges * (1 - 1e-9))[0]
        np.testing.assert_array_equal([float(r["count"]) for r in own], counts)
        share = np.array([float(r["share_per_decade"]) for r in own])
        assert np.sum(share * np.diff(np.log10(edges))) == pytest.approx(counts.sum() / 40, 1e-4)
        assert all(r["convention"] == "paper" for r in own)


def test_the_cauchy_law_per_decade(scripts, ensembles):
    ensemble = ensembles[0.26, 3]
    share = lambda x: scripts.figure5.cauchy_share(np.array(10.0**x), "B", ensemble)
    assert quad(share, -4, 6, limit=200)[0] == pytest.approx(1, abs=1e-3)
    width = np.log10(4 / 3 * 1e3 * scripts.figure5.mean_field(ensemble))
    assert quad(share, -6, width)[0] == pytest.approx(0.5, abs=1e-4)  # median of |B|


def test_every_text_of_the_figures_can_be_read(scripts, two_sizes, packings):
    for figure in (scripts.figure4.figure(packings), scripts.figure5.figure(two_sizes)):
        figure.draw_without_rendering()
        texts = figure.findobj(matplotlib.text.Text)
        assert min(t.get_fontsize() for t in texts if t.get_text() and t.get_visible()) >= 7


def test_exponents_are_those_of_a_power_law(scripts):
    make = lambda n: scripts.finite_size.Row(
        "uniform", n, 10.0 * n, 4e-3, 100, (n**-0.5,) * 3, (2 * n**0.25,) * 3, {}
    )
    rows = [make(n) for n in (2, 10, 50)]
    assert scripts.finite_size.exponent(rows, "uniform", "A") == pytest.approx(-0.5)
    assert scripts.finite_size.exponent(rows, "uniform", "B", 5) == pytest.approx(0.25)
    assert np.isnan(scripts.finite_size.exponent(rows, "uniform", "B", 50))


def test_finite_size_scales_by_the_magnetization(everything, ensembles):
    document = strict_json(everything / "finite_size.json")
    rows = {(r["kind"], r["n_crystals"]): r for r in document["rows"]}
    assert len(rows) == 3
    ensemble = ensembles[0.26, 3]
    row = rows["bond length", 3]
    ratio = np.abs(ensemble.B) / (scipy.constants.mu_0 * ensemble.M)
    assert row["B"][0] == pytest.approx(np.median(ratio), rel=1e-6)
    # as many uniform dipoles, at the same magnetization
    uniform = rows["uniform", 3]
    assert uniform["dipoles"] == round(row["dipoles"])
    assert uniform["mu0_M"] == pytest.approx(row["mu0_M"], rel=1e-6)


def test_claims_are_judged_and_strict(scripts, everything):
    document = strict_json(everything / "claims.json")
    rows = document["claims"]
    assert document["settings"]["convention"] == "paper"
    assert document["settings"]["seed"] == 1
    assert len(rows) >= 18
    for row in rows:
        assert row["verdict"] in scripts.claims.VERDICTS
        assert all(row[name] for name in ("claim", "source", "number", "why"))
        assert all(isinstance(x, float | int) for x in row["numbers"].values())
    found = {row["claim"]: row for row in rows}
    [parallel] = [row for name, row in found.items() if "all moments parallel" in name]
    assert parallel["verdict"] == "depends"
    for spacing in ("0", "0.26"):
        numbers = parallel["numbers"]
        assert numbers[f"deviation_weak_{spacing}_nm"] > 0.8
        assert 1 < numbers[f"ratio_needed_all_{spacing}_nm"] < 100
        assert (
            numbers[f"ratio_needed_near_{spacing}_nm"] > numbers[f"ratio_needed_all_{spacing}_nm"]
        )
    off_plane = found["Hres in the plane has a negligible dependence on Dxz and Dyz"]
    fields = [off_plane["numbers"][f"Hres_at_Dxz_{size}_mT"] for size in (0, 20, 50, 100)]
    np.testing.assert_allclose(fields, [139.4, 136.3, 118.6, 49.4], atol=0.05)
    assert found["tr D = 0"]["verdict"] == "agrees"
    pairs = found["F_dip is dominated by only 2–4 pairs"]
    assert pairs["verdict"] == "agrees"
    cases = ("0_nm", "between_crystals", "0.26_nm")
    assert pairs["numbers"] == {f"pairs_80_{case}": 3 for case in cases}
    different = found["the dominant pairs are between different crystals"]
    assert different["verdict"] == "depends"
    # if only such pairs count, it is true by construction and has no number
    assert different["numbers"] == {
        f"share_between_crystals_{case}": x for case, x in (("0_nm", 0), ("0.26_nm", 1))
    }
    assert "3 pairs" in different["why"]
    assert "0.30 nm" in different["why"]
    assert found["their dipoles are a few Å apart"]["verdict"] == "agrees"
    [sample_one] = [row["numbers"] for name, row in found.items() if name.startswith("sample I:")]
    assert sample_one["Hres_0_mT"] == pytest.approx(52.95, abs=0.01)
    assert sample_one["Hres_90_mT"] == pytest.approx(399.57, abs=0.01)
    dipoles = found["10–30 dipoles per crystal, from 2–6 memu/g"]
    grams, moment = 5.82 * np.pi / 6 * (2.7e-7) ** 3, 1.73 * BOHR
    by_hand = 2e-6 * grams / moment  # 2 memu = 2e-6 J/T
    assert dipoles["numbers"]["dipoles_at_2_memu_per_g"] == pytest.approx(by_hand, rel=1e-9)
    assert dipoles["verdict"] == "differs"

    lines = (everything / "claims.md").read_text(encoding="utf-8").splitlines()
    table = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert len(table) == len(rows) + 2
    assert {line.count("|") for line in table} == {6}

    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8").splitlines()
    listed = [line.replace("\\|", "").split("|")[1:3] for line in page if line.startswith("|")]
    assert listed == [line.split("|")[1:3] for line in table]  # numbers are those of all samples


def test_claims_without_dominant_pairs_say_so(scripts, two_sizes):
    claims = scripts.claims.all_claims(two_sizes)
    rows = [row for row in claims if row.source == "text after Fig. 5"]
    assert len(rows) == 4
    assert {row.verdict for row in rows} == {"not checkable"}
    [little] = [row for row in claims if row.claim == "the distributions depend little on n_NC"]
    for spacing in scripts.figure5.SPACINGS:
        medians = [np.median(np.abs(two_sizes[spacing, size].B)) for size in (2, 3)]
        ratio = max(medians) / min(medians)
        assert little.numbers[f"ratio_of_medians_{spacing:g}_nm"] == pytest.approx(ratio)


def test_surface_atoms_of_a_crystal(scripts):
    total, surface = scripts.claims.claims_of_crystals.surface_atoms()
    # from the mass; the count leaves out atoms with one bond or none
    grams_per_atom = (112.414 + 78.971) / 2 / scipy.constants.Avogadro
    by_mass = 5.82 * np.pi / 6 * (2.7e-7) ** 3 / grams_per_atom
    assert 0.9 * by_mass < total < by_mass
    # a layer of about 0.2 nm
    shell = 1 - (1 - 0.2 / 1.35) ** 3
    assert surface / total == pytest.approx(shell, rel=0.15)
