# make help lists the targets. Everything goes into this checkout: .venv, .tools, $(DEMO_DIR); uv keeps its own cache.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= demo-workbench
SERVE ?= 1
PYTEST_ARGS ?=
PROGRAMS_OF_TESTS := esorex chromium

# A shim named uv may be on the path with no uv behind it: ask it, don't look for it.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/uv/bin/uv)
OWN_UV := $(filter .tools/%,$(UV))
export UV_PYTHON_INSTALL_DIR := $(CURDIR)/.tools/python

.PHONY: help setup lock demo serve system-packages test test-long test-condor validation lint bench docs clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.project  ## make .venv: Python >= 3.11, the locked packages, the project (editable)

lock: | $(OWN_UV)  ## write requirements.lock from pyproject.toml (UPGRADE=1: newest versions)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    $(if $(filter 1,$(UPGRADE)),--upgrade) --group dev pyproject.toml -o requirements.lock

demo: setup  ## build the demonstration workbench in DEMO_DIR and serve it (SERVE=0: only build)
	$(BIN)/qcbench demo $(if $(filter 0,$(SERVE)),--no-serve,--serve) "$(DEMO_DIR)"

serve: setup  ## serve the demonstration workbench that make demo built
	@[[ -d "$(DEMO_DIR)" ]] || { echo "There is no $(DEMO_DIR) yet: run make demo first" >&2; exit 1; }
	$(BIN)/qcbench serve "$(DEMO_DIR)"

system-packages:  ## on Debian, as root: install EsoRex, pipelines and Chromium for the tests
	@if [[ -e /etc/debian_version && $$EUID == 0 ]]; then jobs/install_system_packages.sh; fi

test: setup system-packages  ## run the tests that are not long
	@without="$${QCBENCH_TEST_WITHOUT:-}"; \
	for program in $(PROGRAMS_OF_TESTS); do \
	    if ! command -v "$$program" >/dev/null && [[ " $$without " != *" $$program "* ]]; then \
	        echo "Tests that need $$program are left out: it is not on the path, and only on Debian as root is it installed here."; \
	        without="$$without $$program"; \
	    fi; \
	done; \
	QCBENCH_TEST_WITHOUT="$$without" $(BIN)/python -m pytest -n 2 -m "not long" $(PYTEST_ARGS)

test-long: setup system-packages  ## run the long tests
	$(BIN)/python -m pytest -m "long and not condor" $(PYTEST_ARGS)

test-condor: setup  ## run the tests of the HTCondor pool, on daemons of their own in .tools/minicondor
	$(BIN)/python -m pytest -m condor $(PYTEST_ARGS)

validation: setup system-packages  ## run the cascades of the pipelines on whole detectors, and write docs/validation.md
	$(BIN)/python -m validation "$${VALIDATION_DIR:-$$(mktemp -d)}"

lint: setup  ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## run the benchmarks; each prints a ratio against a reference
	@for script in benchmarks/*.py; do echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script" || exit 1; done

docs: setup  ## write docs/reference from the commands and the instrument packs
	$(BIN)/python -m qcbench.cli.reference docs/reference

clean:  ## remove what make made, but the demonstration workbench
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.tools/uv/bin/uv:
	python3 -m venv .tools/uv
	.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.8"

$(BIN)/python: | $(OWN_UV)
	rm -rf $(VENV)
	$(UV) venv --quiet --python ">=3.11" $(VENV)

$(VENV)/.packages: requirements.lock | $(BIN)/python
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.packages
	$(UV) pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $@
