# `make demo` shows what Afterword does, `make test` checks it. Both set up .venv by themselves.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
READY := .venv/.ready
CODE := src tests benchmarks examples
# One for each core, up to four; each stays on its own (tests/conftest.py).
WORKERS := $(shell cores=$$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? cores : 4)))
PYTEST := $(PY) -m pytest -n $(WORKERS) --dist worksteal

# Tests that between them compile everything.
COMPILES := "tests/workspace/test_live.py::test_any_batching_gives_what_a_run_gives[3]" tests/reports/test_counted.py \
	"tests/attribution/test_engine_paths.py::test_batches_of_any_size_give_the_same[7]"
# Compiled modules are kept, also where the environment says not to: the tests start some hundred processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-all checked compiled lint bench bench-serve bench-web sim docs lock browser clean

help: ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(READY) ## run a published e-mail test and two more campaigns through Afterword
	@.venv/bin/afterword demo $(DEMO)

test: checked browser ## lint, types and the quick tests: the gate of every change
	$(PYTEST) -m "not slow" $(TESTS)

test-all: checked browser ## everything, with 50,000 generated histories against the oracle and 20 crashes of a server
	AFTERWORD_HISTORIES=50000 AFTERWORD_CRASH_ROUNDS=20 AFTERWORD_LOOKS=all $(PYTEST) $(TESTS)

# Types are checked on one core while the other compiles.
checked: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint compiled

compiled: $(READY) # once, what each process of the tests would compile for itself
	@NUMBA_CACHE_DIR=.pytest_cache/numba/shared $(PY) -m pytest --quiet $(COMPILES)

lint: $(READY) ## ruff and mypy
	$(PY) -m ruff check $(CODE)
	$(PY) -m ruff format --check $(CODE)
	$(PY) -m mypy $(CODE)

bench: $(READY) ## compare with SQL and Polars on generated facts (BENCH="--scale medium")
	$(PY) -m benchmarks.run $(BENCH)

bench-serve: $(READY) ## a server under load (BENCH="--rate 1000 --objects 225 --seconds 60")
	$(PY) -m benchmarks.serve $(BENCH)

bench-web: $(READY) ## every page over a full workspace (BENCH="--campaigns 50 --exposures 200000 --events 1000000")
	$(PY) -m benchmarks.web $(BENCH)

sim: $(READY) ## simulations against known truth, into docs/statistics.md (SIM="--only peeking --size 0.1")
	$(PY) -m benchmarks.simulations $(or $(SIM),--write)

docs: $(READY) ## write the generated pages of docs/ again
	$(PY) -m afterword.interfaces.reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md
	$(PY) -m afterword.interfaces.api_reference > docs/api.new && mv docs/api.new docs/api-reference.md

lock: ## write the hash-locked requirements after pyproject.toml changed (UPGRADE=1 takes the newest of everything)
	python3 -m venv build/lock
	build/lock/bin/pip --quiet install uv
	.ci/lock build/lock/bin/uv

browser: # screenshots of report.html want Chromium; without it those tests skip and say so
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || .ci/install-chromium

clean: ## forget .venv and what tools left behind
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache

$(READY): requirements-dev.txt pyproject.toml
	@.ci/make-venv
	@touch $@
