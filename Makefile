# Every target works on a fresh machine: it makes the environment first and remembers that it did.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
VENV3 ?= .venv-pandas3
VENVSBOM ?= .venv-sbom
BIN := $(VENV)/bin
JOBS ?= 2
DEMO_ARGS ?=
# One thread per worker: the same bits on every machine, and workers do not fight for cores.
export OMP_NUM_THREADS ?= 1
# Compiled once, not by every process that a test starts.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test unit timing frames browser chromium docs sbom lint format clean
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.stamp ## the environment in .venv (Python 3.11 or newer)
demo: $(VENV)/.stamp-demo ## end to end on synthetic data; ends with the path of the report
	$(BIN)/foretide demo $(DEMO_ARGS)

test: lint unit timing frames ## style, types, all tests; frame tests on pandas 3 too
unit: $(VENV)/.stamp chromium ## all tests but those that measure seconds
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not timing"
timing: $(VENV)/.stamp ## tests that measure seconds, one after the other
	$(BIN)/python -m pytest -q -m timing
browser: $(VENV)/.stamp chromium ## the tests that open the report in Chromium
	$(BIN)/python -m pytest -q -rs tests/browser
chromium: ## Debian's Chromium where it is missing and can be installed; its tests are skipped otherwise
	@.ci/chromium
frames: $(VENV3)/.stamp ## the frame boundary on pandas 3
	$(VENV3)/bin/python -m pytest -q -m frames tests/data tests/evaluation

docs: $(VENV)/.stamp ## the documentation with the reference as a site in site/
	$(BIN)/python -m mkdocs build -q --strict

sbom: $(VENV)/.stamp $(VENVSBOM)/.stamp ## sbom.json: what the environment holds, with licences (CycloneDX)
	$(VENVSBOM)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o sbom.json $(BIN)/python

lint: $(VENV)/.stamp ## ruff and mypy --strict, no change
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
format: $(VENV)/.stamp ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
clean: ## remove environments and caches, keep runs
	rm -rf $(VENV) $(VENV3) $(VENVSBOM) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The demo needs neither the other extras nor the development tools.
$(VENV)/.stamp-demo: pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; type: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.stamp: $(VENV)/.stamp-demo
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[all,dev]'
	@touch $@

$(VENV3)/.stamp: pyproject.toml constraints-pandas3.txt
	$(PYTHON) -m venv $(VENV3)
	$(VENV3)/bin/python -m pip install -q -r constraints-pandas3.txt
	$(VENV3)/bin/python -m pip install -q --no-deps -e .
	@touch $@

# The tool lives by itself: what it brings is no part of what it lists.
$(VENVSBOM)/.stamp:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; type: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENVSBOM)
	$(VENVSBOM)/bin/python -m pip install -q cyclonedx-bom==7.5.0
	@touch $@
