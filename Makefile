# Two commands are all that a fresh Linux machine with Python >= 3.11 needs: `make run` and `make test`.
# Each makes .venv, installs what it needs, and works.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RECIPE ?= recipes/digits.toml
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-full bench-gpu gpu clean

help:
	@echo "make run    a map of handwritten digits with its scores and its picture, in runs/"
	@echo "make test   format, lint, types and tests"
	@echo "make check  format, lint and types alone"
	@echo "make bench  the benchmark's quick cases, about ten minutes on two cores; bench-full: all of them, about an hour;"
	@echo "            bench-gpu: all cases on a GPU, after an install of the extra cuda13 or cuda12"
	@echo "make gpu    on a GPU machine: the tests that need one, where the time goes, and bench-gpu"
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

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

run: $(VENV)/installed
	$(BIN)/gpu-pipeline run --recipe $(RECIPE)

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy gpu_pipeline

test: check
	$(BIN)/pytest --numprocesses auto --dist worksteal $(TESTS)

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks run quick

bench-full: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks run full

bench-gpu: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks run gpu

gpu: $(VENV)/installed-dev
	GPU_PIPELINE_REQUIRE_GPU=1 $(BIN)/pytest -m gpu $(TESTS)
	GPU_PIPELINE_REQUIRE_GPU=1 $(BIN)/pytest tests/test_contract.py
	$(BIN)/python -m gpu_pipeline.engines.mesh.gpu_profile 5000 70000
	$(MAKE) bench-gpu

clean:
	rm -rf $(VENV)
