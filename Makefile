# Everything a developer or an operator runs from a checkout. `make` alone lists it.

PYTHON ?= python3
ARGS ?=
CASE ?= slot

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
UV_COMPILE := $(BIN)/uv pip compile --quiet --python-platform linux --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
unexport PYTHONDONTWRITEBYTECODE  # to compile five hundred files anew takes each process half a second

.PHONY: help
help: ## list the targets (ARGS="..." is passed on to the program behind demo, serve, audit, test, bench, profile and lock)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- run ---

.PHONY: demo
demo: $(VENV)/.runtime ## a throw-away server with a shop, a news page and campaigns; prints where to click
	@$(BIN)/adserver demo $(ARGS)

.PHONY: serve
serve: $(VENV)/.runtime ## the server, with the settings of the environment (ADSERVER_*)
	@$(BIN)/adserver serve $(ARGS)

.PHONY: audit
audit: $(VENV)/.runtime ## recompute every balance from the charges; fails unless all invariants hold
	@$(BIN)/adserver audit $(ARGS)

# --- check ---

# What a crowd, or a load between two crashes, must get done in time wants the machine for itself; what starts servers,
# kills them or holds them to a second, half of it; all other tests go three at a time.
BESIDE := approval bad_input own_path proof replay
ALONE := $(patsubst %,tests/simulation/test_%.py,budget_end budget_race crash)
IN_PAIRS := $(filter-out $(BESIDE:%=tests/simulation/test_%.py) $(ALONE),$(wildcard tests/simulation/test_*.py))

.PHONY: test
test: $(VENV)/.dev ## lint, import contracts, types, then every test
	@$(MAKE) --jobs=2 --output-sync=target typecheck lint tools $(if $(ARGS),,collect)
	@echo "tests"
ifeq ($(ARGS),)
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(ALONE) $(IN_PAIRS))
	@$(BIN)/pytest -n 2 --dist loadfile $(IN_PAIRS)
	@$(BIN)/pytest $(ALONE)
else
	@$(BIN)/pytest $(ARGS)
endif

.PHONY: collect
collect: $(VENV)/.dev # all tests are read once, and compiled for the processes that will run them
	@told=$$($(BIN)/pytest --collect-only -qq 2>&1) || { echo "$$told"; exit 1; }

.PHONY: test-mutants
test-mutants: $(VENV)/.dev ## the ledger, and every wrong ledger that the stateful test must notice, by name
	@$(BIN)/pytest -v tests/contract/test_ledger_machine.py tests/contract/test_mutants.py $(ARGS)

.PHONY: test-crash
test-crash: $(VENV)/.dev ## kill -9 of writer, workers and jobs under load, 200 times (CRASH_KILLS=n for more), then the audit
	@CRASH_KILLS=$${CRASH_KILLS:-200} $(BIN)/pytest -v tests/simulation/test_crash.py $(ARGS)

.PHONY: screenshots
screenshots: $(VENV)/.dev tools ## every page of the console in three languages and two sizes: build/screenshots
	@SCREENSHOTS=1 $(BIN)/pytest -n 2 --dist loadfile tests/browser/test_console*.py $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## style, format and the floors (who may import whom)
	@echo "lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

.PHONY: typecheck
typecheck: $(VENV)/.dev ## mypy, strict
	@echo "types"
	@$(BIN)/mypy

.PHONY: format
format: $(VENV)/.dev ## rewrite the code in the house's format, and mend what can be mended
	@$(BIN)/ruff check --fix --exit-zero .
	@$(BIN)/ruff format .

.PHONY: scripts
scripts: $(VENV)/.dev ## shorten tag.js and slot.js again, after a change, into what is served
	@$(BIN)/python -m tests.shorten

.PHONY: tools
tools: ## make sure that the tests have Chromium, strace, nginx and Caddy
	@./tests/ensure_tools.sh

# --- measure ---

.PHONY: bench
bench: $(VENV)/.dev ## how fast it is beside a bare callable: a table, build/bench.json, docs/speed.svg; see docs/speed.md
	@./tests/ensure_tools.sh wrk
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-scale
bench-scale: $(VENV)/.dev ## what a request and a worker cost from 10 to 100,000 campaigns, to 5,000,000 visitors
	@./tests/ensure_tools.sh wrk
	@$(BIN)/python -m tests.bench.scale $(ARGS)

.PHONY: eval
eval: $(VENV)/.dev ## how well products, rates and experiments do on public data: a table, build/eval.json (DATA=folder: your clicks)
	@$(BIN)/python -m tests.eval $(if $(DATA),--data $(DATA)) $(ARGS)

.PHONY: profile
profile: $(VENV)/.dev ## where the time of a case goes (CASE=slot): flame graphs, build/slot-worker.svg and -writer.svg
	@./tests/ensure_tools.sh wrk
	@$(BIN)/python -m tests.bench.profile $(CASE) $(ARGS)

# --- dependencies ---

.PHONY: lock
lock: $(VENV)/.dev ## pin the dependencies of pyproject.toml again (ARGS=--upgrade for newer versions)
	$(UV_COMPILE) $(ARGS) pyproject.toml --group dev --output-file requirements-dev.txt
	$(UV_COMPILE) pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	$(UV_COMPILE) --group build --constraint requirements-dev.txt --output-file requirements-build.txt

.PHONY: clean
clean: ## remove the environment, caches and build output (never a data folder)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find adserver creatives pixel migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "adserver needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true);" \
			"name another one, as in: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt requirements-build.txt pyproject.toml | $(BIN)/python
	@echo "installing requirements.txt into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements.txt
	@$(PIP_INSTALL) --require-hashes -r requirements-build.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "installing requirements-dev.txt into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
