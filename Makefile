# A fresh machine needs Python 3.11 or newer and this file: every target makes the .venv it runs in.
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	$$each -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
BIN := .venv/bin
READY := .venv/ready
SEEDS ?= 100
ROUNDS ?= 5
MINUTES ?= 30
DATABASE ?= sqlite
ARGS ?=

# pyright comes with its wheel; without this it asks the network for a newer one on every run.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# The tests start hundreds of processes; empty, so that not each of them compiles everything again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test dev check mypy pyright bench soak format lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## start an engine and a worker, run a small real program; DATABASE=postgres brings one along
	$(BIN)/python examples/stdlib_index/demo.py --database $(DATABASE)

test: $(READY) ## run the tests; ARGS="-k retry" goes to pytest
	$(BIN)/pytest -n 3 --dist worksteal $(ARGS)

dev: $(READY) ## make .venv and say how to go on
	@echo 'Ready. Go on with:'
	@echo '  . $(BIN)/activate    then runfold, pytest, ruff, mypy and pyright are the ones of this checkout'
	@echo '  make check           before each commit; make help lists the rest'

check: $(READY) ## everything CI runs: format, lint, types, import arrows, tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(MAKE) -j 2 mypy pyright
	$(BIN)/lint-imports --no-logo
	$(MAKE) test

mypy: $(READY)
	$(BIN)/mypy

pyright: $(READY)
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(READY) ## measure throughput and latency
	$(BIN)/python bench/run.py $(ARGS)

soak: $(READY) ## the simulation from many seeds, processes killed for long, any requests; SEEDS=1000 ROUNDS=20 MINUTES=60
	$(BIN)/python -m tests.simulation.soak --seeds $(SEEDS)
	$(BIN)/python -m tests.simulation.soak --seeds $(SEEDS) --durable
	RUNFOLD_TAMPERS=10000 $(BIN)/pytest tests/app/test_tampers.py
	RUNFOLD_ZONES=all $(BIN)/pytest tests/adapters/test_calendar.py
	RUNFOLD_CRASH_ROUNDS=$(ROUNDS) $(BIN)/pytest -n 2 tests/crash/test_random_kills.py
	RUNFOLD_CRASH_ROUNDS=$(ROUNDS) $(BIN)/pytest -n 2 tests/nodes/test_cut_connections.py tests/nodes/test_restarts.py
	RUNFOLD_SCALE=5 $(BIN)/pytest tests/durable/test_scale.py tests/crash/test_many_steps.py \
		tests/crash/test_engine_killed.py tests/crash/test_engine_killed_waiting.py
	RUNFOLD_FUZZ_REQUESTS=50000 $(BIN)/pytest --timeout 7200 tests/app/test_fuzz.py
	RUNFOLD_NODES_SECONDS=$$(($(MINUTES) * 60)) $(BIN)/pytest tests/nodes/test_random_kills.py

format: $(READY) ## format, and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: $(READY) ## renew requirements.lock; with Python 3.11, so that every pin works on all versions
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "make clean lock PYTHON=python3.11, please")'
	$(BIN)/pip-compile --quiet --upgrade --allow-unsafe --strip-extras --extra otel,test,dev --generate-hashes \
		--no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
		--output-file requirements.lock pyproject.toml

clean: ## remove what make made
	rm -rf .venv .bench build dist tests/dashboard/screenshots .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Exact versions, each checked against its hash. The checkout itself is installed as a link to these files.
$(READY): requirements.lock pyproject.toml
	@echo 'Making .venv, which takes about a minute and needs the network this once.'
	test -x $(BIN)/python || $(or $(PYTHON),$(error No Python 3.11+ with venv found: make PYTHON=/path/to/one)) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
