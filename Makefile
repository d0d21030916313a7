# Each command sets up everything it needs in a virtual environment here.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: reproduce test test-fast check

reproduce: $(VENV)/installed
	$(BIN)/diffdip reproduce --quick --out out

test: $(VENV)/installed
	$(PYTEST)

# without the slow tests, docstring examples and notebooks
test-fast: $(VENV)/installed
	$(PYTEST) -m "not slow" tests

check: $(VENV)/installed
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
