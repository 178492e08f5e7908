# Everything runs in .venv, which the first target that needs it creates: Python 3.11 or newer and
# make are enough. `make` alone lists the targets.

PYTHON ?= python3
BENCHES ?= overhead record wrap serve
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# twice --quiet: pip shows errors only
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench coverage docs schemas lock clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED)  ## a real MCP server, wrapped, killed half way, and the proof that nothing is lost
	@$(BIN)/contextframe-monitoring demo

test: $(INSTALLED)  ## the whole test suite (PYTEST_ARGS="..." narrows it)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(INSTALLED)  ## linter, formatter, types and the layout of the source
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --quiet tests/test_tidy.py

bench: $(INSTALLED)  ## what recording costs, beside what others cost (BENCHES="...")
	@$(BIN)/contextframe-monitoring bench $(BENCHES)

coverage: $(INSTALLED)  ## the tests with line and branch coverage
	@$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

docs: $(INSTALLED)  ## write everything anew that is made from the code: tables, examples, schemas
	@$(BIN)/python -m tests.generated

schemas: $(INSTALLED)  ## write schemas/*.json anew, nothing else
	@$(BIN)/python -m contextframe_monitoring.store.schemas schemas

lock:  ## resolve the dependencies afresh and write constraints.txt
	@rm -rf $(VENV)
	@$(MAKE) --no-print-directory $(INSTALLED) CONSTRAINTS=
	@{ echo "# Every version that the tests ran with. Written by \`make lock\`."; \
	   $(BIN)/python -m pip --disable-pip-version-check list --format=freeze --exclude-editable \
	       --exclude pip --exclude setuptools; } > constraints.txt.new
	@mv constraints.txt.new constraints.txt
	@touch $(INSTALLED)

clean:  ## remove .venv and everything that a build or a test run left
	@rm -rf $(VENV) dist build .coverage* coverage.xml .pytest_cache .ruff_cache .mypy_cache \
	    .hypothesis constraints.txt.new
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

CONSTRAINTS := -c constraints.txt
$(INSTALLED): pyproject.toml $(wildcard constraints.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + \
	    "; choose another: make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV) (once; up to a few minutes) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) $(CONSTRAINTS) --editable '.[dev]'
	@touch $@
