# The menu. `make` alone lists it.
# Everything is installed into .venv/, and installed again only when a list of packages changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := requirements.lock pyproject.toml
SUPPLY := build/supply
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run build test test-cluster check format faults soak replicas bench bench-engine bench-export bench-memory bench-start bench-store bench-ui calibrate power lock sbom audit clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

run: build ## install, build the page and serve it with API and WebSocket on http://127.0.0.1:8000
	@exec $(BIN)/scale serve

build: $(VENV)/.run-packages ## build the page if its sources have changed
	@$(BIN)/scale build

test: $(VENV)/.test-packages build ## run all tests except those on a real cluster
	@.ci/test-tools
	@PYTHON=$(BIN)/python .ci/tests $(ARGS)

test-cluster: $(VENV)/.test-packages build ## run the tests that need Kubernetes, on a real cluster in namespaces (root on Debian)
	@$(BIN)/python -m tests.cluster test $(ARGS)

check: $(VENV)/.test-packages ## style, types and the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.test-packages ## fix style where a tool can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

faults: $(VENV)/.test-packages build ## break a real server in every way of docs/reliability.md (ARGS=--short to try it)
	@$(BIN)/python -m tests.faults $(ARGS)

soak: $(VENV)/.test-packages build ## use a real server for half an hour and check that it stays small (ARGS="--minutes 3" to try it)
	@$(BIN)/python -m tests.bench.soak $(ARGS)

bench: $(VENV)/.test-packages ## measure how long one analysis takes, by number of pods
	@$(BIN)/python -m tests.bench.analysis

bench-engine: $(VENV)/.test-packages ## measure what a request costs the load engine and its peers (ARGS=--short to try it)
	@$(BIN)/python -m tests.bench.engine $(ARGS)

bench-export: $(VENV)/.test-packages build ## measure what an export of 1,000 pods costs the server and other requests (ARGS="--seconds 60")
	@$(BIN)/python -m tests.bench.export $(ARGS)

bench-memory: $(VENV)/.test-packages ## run the load engine for ten minutes and check that its memory stays flat
	@$(BIN)/python -m tests.bench.engine_memory $(ARGS)

replicas: $(VENV)/.test-packages build ## update and kill three servers that share a PostgreSQL and a Redis, under runs and viewers: `build/replicas.json`
	@$(BIN)/python -m tests.bench.replicas $(ARGS)

bench-start: $(VENV)/.test-packages build ## measure the start of commands and an idle server
	@$(BIN)/python -m tests.bench.start

bench-outage: $(VENV)/.test-packages ## measure what ten minutes without the database cost at 1,000 pods
	@$(BIN)/python -m tests.bench.outage $(ARGS)

bench-store: $(VENV)/.test-packages ## measure size and speed of the history (ARGS=--short without PostgreSQL)
	@$(BIN)/python -m tests.bench.store $(ARGS)

bench-ui: $(VENV)/.test-packages build ## measure what the page costs its viewers and the server, in headless Chromium
	@$(BIN)/python -m tests.bench.ui $(ARGS)

calibrate: $(VENV)/.test-packages ## measure the statistics behind the verdict against known balancers
	@$(BIN)/python -m tests.bench.calibrate

power: $(VENV)/.test-packages ## measure which broken balancers are found and which are missed (ARGS=--short to try it)
	@$(BIN)/python -m tests.bench.power $(ARGS)

lock: $(SUPPLY)/.packages ## write the locks anew after a change of requirements*.txt
	@.ci/lock $(SUPPLY)/bin/uv

sbom: $(SUPPLY)/.packages ## write the bill of materials of the image (CycloneDX) to build/sbom.cdx.json
	@$(SUPPLY)/bin/python .ci/sbom build/sbom.cdx.json

audit: $(SUPPLY)/.packages ## ask a database of vulnerabilities about every locked package; fails for one that it does not know
	@$(SUPPLY)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

clean: ## remove what was installed and built; keeps the database
	@rm -rf $(VENV) .web build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.run-packages: $(PACKAGES)
	@.ci/virtualenv $(VENV)
	@echo "Installing Python packages (about a minute the first time) ..." >&2
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --config-settings editable_mode=compat -e .
	@touch $@

$(VENV)/.test-packages: requirements-dev.lock $(VENV)/.run-packages
	@echo "Installing what tests and checks need ..." >&2
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

$(SUPPLY)/.packages: requirements-supply.txt
	@.ci/virtualenv $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip --disable-pip-version-check --quiet install -r requirements-supply.txt
	@touch $@
