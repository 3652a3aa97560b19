# Everything runs in .venv, which is made on first use. Another Python: make demo PYTHON=python3.12
PYTHON ?= python3
WORKERS ?= 2
# Installed before what needs it: the plain name would bring a build for GPUs of several gigabytes on some machines.
TORCH ?= torch==2.13.0

VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.done
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CHECKED := rdcsolve tests examples benchmarks packaging docs/conf.py docs/figure_check.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo quick test lint types docs site-check slow-tests bench wheel-check clean distclean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

demo: $(DONE)/package ## set everything up and run the main job on real handwritten digits
	@echo "== demo: certified rate-distortion-classification surface of handwritten digits"
	$(BIN)/rdcsolve demo

quick: lint types $(DONE)/test ## style, types and the quick tests: under a minute of CPU, for every commit
	@echo "== quick: pytest without the slow tests"
	HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -q -m "not slow"

test: $(DONE)/test ## set everything up and pass the tests
	@echo "== test: pytest on $(WORKERS) processes"
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(DONE)/lint ## check style and formatting
	@echo "== lint: ruff"
	$(BIN)/ruff check $(wildcard $(CHECKED))
	$(BIN)/ruff format --check $(wildcard $(CHECKED))

types: $(DONE)/lint ## check types
	@echo "== types: mypy"
	$(BIN)/mypy

docs: $(DONE)/docs ## build the site in docs/_build/html, warnings as errors
	@echo "== docs: sphinx"
	$(BIN)/python -m sphinx -W --keep-going --quiet -b html docs docs/_build/html
	@echo "== docs: open docs/_build/html/index.html"

site-check: $(DONE)/docs $(DONE)/test ## look at the built site: links, pictures, formulas, and in a browser where there is one
	@echo "== site-check: pytest tests/site"
	$(BIN)/python -m pytest -q tests/site

slow-tests: $(DONE)/test ## measure all tests in one process and write tests/slow.txt anew
	@echo "== slow-tests: pytest --measure"
	$(BIN)/python -m pytest -q --measure

bench: $(DONE)/bench ## time the methods against the peers
	@echo "== bench"
	$(BIN)/python benchmarks/run.py

wheel-check: $(DONE)/venv ## build the wheel, install it in an empty environment, use it from there
	@echo "== wheel-check: building the wheel"
	rm -rf dist build/wheel-check
	$(PIP) wheel --no-deps --wheel-dir dist .
	@echo "== wheel-check: installing it in an empty environment"
	$(BIN)/python -m venv build/wheel-check
	build/wheel-check/bin/python -m pip --disable-pip-version-check --quiet install "$$(echo dist/*.whl)[standard]"
	@echo "== wheel-check: using it away from the source"
	cd build/wheel-check && bin/python -c "import rdcsolve; print(rdcsolve.__version__, rdcsolve.__file__)" && bin/rdcsolve info

clean: ## remove what was built, keep .venv
	rm -rf build dist docs/_build docs/gallery docs/sg_execution_times.rst .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find rdcsolve tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)

# Setup: one stamp per group of packages, so each is installed once and again when pyproject.toml changes.

$(DONE)/venv:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No '$(PYTHON)' here. Install Python 3.11 or later, or name one: make demo PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "rdcsolve needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name a newer one: make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments (on Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }
	@echo "== setup: making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(DONE) && touch $@

$(DONE)/package: pyproject.toml | $(DONE)/venv
	@echo "== setup: installing rdcsolve and what it needs (a minute or two, once)"
	@$(PIP) install --editable ".[standard]"
	@touch $@

$(DONE)/torch: | $(DONE)/venv
	@echo "== setup: installing $(TORCH)"
	@$(PIP) install "$(TORCH)"
	@touch $@

$(DONE)/test: pyproject.toml | $(DONE)/torch
	@echo "== setup: installing rdcsolve with every extra and the test tools (a few minutes, once)"
	@$(PIP) install --editable ".[test,all]"
	@touch $(DONE)/package $@

$(DONE)/docs: pyproject.toml | $(DONE)/torch
	@echo "== setup: installing the documentation tools"
	@$(PIP) install --editable ".[docs,all]"
	@touch $(DONE)/package $@

$(DONE)/bench: pyproject.toml | $(DONE)/torch
	@echo "== setup: installing the peers that the benchmarks run against"
	@$(PIP) install --editable ".[bench,all]"
	@touch $(DONE)/package $@

$(DONE)/lint: pyproject.toml | $(DONE)/venv
	@echo "== setup: installing the linters"
	@$(PIP) install --editable ".[lint]"
	@touch $(DONE)/package $@
