# Two commands are all that a fresh Linux machine with Python >= 3.11 needs: `make run` and `make test`.
# Each makes .venv, installs what it needs, and works.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RECIPE ?= recipes/digits.toml
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help run test check clean

help:
	@echo "make run    a map of handwritten digits with its scores and its picture, in runs/"
	@echo "make test   format, lint, types and tests"
	@echo "make check  format, lint and types alone"
	@echo "make clean  remove .venv"

$(VENV)/made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: pyproject.toml $(VENV)/made
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

run: $(VENV)/installed
	$(BIN)/gpu-pipeline run --recipe $(RECIPE)

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy gpu_pipeline

test: check
	$(BIN)/pytest --numprocesses auto $(TESTS)

clean:
	rm -rf $(VENV)
