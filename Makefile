# Each command sets up everything it needs in a virtual environment here.
PYTHON ?= python3
VENV ?= .venv
DIST ?= dist
BIN := $(VENV)/bin
# bytecode also where PYTHONDONTWRITEBYTECODE is set: the tests start hundreds of processes
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: reproduce test test-fast check docs package

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

# the site, in build/site; without network
docs: $(VENV)/documented
	$(BIN)/python -m doctest docs/site_build/docstrings.py docs/site_build/mathml.py
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky --fresh-env \
		--conf-dir docs . build/site
	$(BIN)/python docs/site_build/check_site.py build/site

# the sdist, and the wheel that is built from it
package: $(VENV)/installed
	$(BIN)/python -m build --outdir $(DIST)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/documented: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@
