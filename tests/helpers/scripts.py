"""The scripts of `experiments/`, imported by their plain names, as they import each other."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest


EXPERIMENTS = Path(__file__).parent.parent.parent / "experiments"
BENCHMARKS = EXPERIMENTS / "benchmarks"


def script(name: str, folder: Path = EXPERIMENTS) -> ModuleType:
    """The module of a script, with its folder on the path while it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return importlib.import_module(name)


def written(folder: Path) -> set[str]:
    """Names of the files in a folder."""
    return {path.name for path in folder.iterdir()}
