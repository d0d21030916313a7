# `make reproduce` and `make test` do all the set-up themselves, in a virtual environment here.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: reproduce test check

reproduce: $(VENV)/installed
	$(BIN)/diffdip reproduce --quick --out out

test: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: $(VENV)/installed
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
