"""Speed of resonance solves, in solves per second, compared with scipy and cmtj in the same run.

    python experiments/benchmarks/resonance.py [--size 1000000]

In-plane solves at float64 with moderate anisotropy (|A|, |B|, |C| ≤ w0/3); value and gradient; all
branches; a general tensor; a general energy. This is not a test.
"""

import argparse
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from harness import best_time, compiled, header, machine, row

import diffdip as dd


NU = 9.45e9


def scipy_solves(A: np.ndarray, B: np.ndarray, C: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """The textbook method: minimize the energy at each field, and solve ω(H) with brentq."""
    larmor = float(dd.larmor_field(NU))

    def mismatch(H: float, a: float, b: float, c: float, alpha: float) -> float:
        energy = lambda t: (
            -H * np.cos(alpha - t) + 0.25 * b * np.cos(2 * t) + 0.5 * c * np.sin(2 * t)
        )
        t = scipy.optimize.minimize_scalar(
            energy, bracket=(alpha - 0.1, alpha + 0.1), options={"xtol": 1e-10}
        ).x
        in_plane = H * np.cos(alpha - t) - b * np.cos(2 * t) - 2 * c * np.sin(2 * t)
        out = H * np.cos(alpha - t) - 1.5 * a - 0.5 * b * np.cos(2 * t) - c * np.sin(2 * t)
        return in_plane * out - larmor**2

    return np.array(
        [
            scipy.optimize.brentq(mismatch, 0.05, 1.5, args=(-a, -b, -c, t))
            for a, b, c, t in zip(A, B, C, angle, strict=True)
        ]
    )


def cmtj_time(repeats: int = 20) -> float:
    """Seconds for one equilibrium and one mode with cmtj: one point of a field scan."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cmtj.models import LayerSB, Solver
        from cmtj.utils import VectorObj

        layer = LayerSB(
            _id=0,
            thickness=1.0,
            Kv=VectorObj(np.pi / 2, 0.0, 1e4),
            Ks=1e4,
            Ms=1e6,
        )
        solver = Solver(layers=[layer], J1=[], J2=[], H=VectorObj(np.pi / 2, 0.3, 3e5))
        start_position = np.array([np.pi / 2, 0.3])
        solver.solve(init_position=start_position)
        start = time.perf_counter()
        for _ in range(repeats):
            solver.solve(init_position=start_position)
        return (time.perf_counter() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1_000_000, help="number of in-plane solves")
    size = parser.parse_args().size
    jax.config.update("jax_enable_x64", True)
    print(machine("float64"))

    rng = np.random.default_rng(0)
    limit = float(dd.larmor_field(NU)) / 3
    A, B, C = rng.uniform(-limit, limit, (3, size))
    angle = rng.uniform(0, np.pi, size)
    few = min(100, size)
    start = time.perf_counter()
    reference = scipy_solves(A[:few], B[:few], C[:few], angle[:few])
    per_scipy = (time.perf_counter() - start) / few

    def field(a, b, c, t):
        return dd.resonance_field(dd.AnisotropyFields(a, b, c), t, NU)

    arguments = [jnp.asarray(v) for v in (A, B, C, angle)]
    header("In-plane resonance, A, B, C")
    value, compile_s = compiled(jax.vmap(field), *arguments)
    error = np.max(np.abs(np.asarray(value(*arguments))[:few] / reference - 1))
    per_value = best_time(lambda: value(*arguments)) / size
    name = "measured field"
    row(
        name,
        f"{1e-6 / per_value:.2f} M/s",
        "scipy minimize + brentq",
        per_scipy / per_value,
        compile_s,
    )

    gradient, compile_s = compiled(jax.vmap(jax.value_and_grad(field, (0, 1, 2, 3))), *arguments)
    per_gradient = best_time(lambda: gradient(*arguments)) / size
    name = "value and gradient (4 parameters)"
    row(
        name,
        f"{1e-6 / per_gradient:.2f} M/s",
        "cost of the value alone",
        per_gradient / per_value,
        compile_s,
    )

    def branches(a, b, c, t):
        return dd.resonance_branches(dd.AnisotropyFields(a, b, c), t, NU)

    some = [v[: size // 4] for v in arguments]
    every, compile_s = compiled(jax.vmap(branches), *some)
    per_branches = best_time(lambda: every(*some)) / len(some[0])
    row(
        "all branches",
        f"{1e-6 / per_branches:.2f} M/s",
        "cost of the value alone",
        per_branches / per_value,
        compile_s,
    )

    per_cmtj = cmtj_time()
    row(
        "measured field",
        f"{1e6 * per_value:.2f} µs",
        "cmtj, one point of a field scan",
        per_cmtj / per_value,
    )
    print(f"\nLargest relative difference to scipy in {few} solves: {error:.1e}")

    header("Other energies")
    some = [v[: size // 50] for v in arguments]

    def general(a, b, c, t):
        tensor = dd.AnisotropyFields(a, b, c).tensor()
        return dd.resonance_field(dd.TensorAnisotropy(tensor), t, NU)

    solve, compile_s = compiled(jax.vmap(general), *some)
    per_general = best_time(lambda: solve(*some)) / len(some[0])
    row(
        "full tensor, 3-D",
        f"{1e-6 / per_general:.3f} M/s",
        "in-plane value",
        per_general / per_value,
        compile_s,
    )

    angles = jnp.linspace(0, np.pi, 37)

    def film(a, b, c):
        energy = dd.CubicAnisotropy(a) + dd.UniaxialAnisotropy(b, jnp.array([1.0, 1.0, 0.0]))
        return dd.resonance_field(energy + dd.ThinFilm(0.5 + c), angles, 20e9)

    some = [v[:64] for v in arguments[:3]]
    solve, compile_s = compiled(jax.vmap(film), *some)
    per_film = best_time(lambda: solve(*some)) / (64 * 37)
    row(
        "cubic + uniaxial film, 37 angles",
        f"{1e-6 / per_film:.4f} M/s",
        "in-plane value",
        per_film / per_value,
        compile_s,
    )


if __name__ == "__main__":
    main()
