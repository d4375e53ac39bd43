# Bare `make` lists the verbs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
TESSERA := $(BIN)/tessera
CHILDREN ?= 2000
# Where this is set, each command would compile anew all that it imports, which takes longer than most commands do.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup nightly test slow spark field check fix dev console notebook pictures bench docs lock clean

help: ## lists the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/ready ## makes .venv with the locked versions

$(VENV)/ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

nightly: setup ## makes synthetic extracts if there are none, and runs the night of tessera.yaml
	@test -d inbox/night1 || $(TESSERA) synth --children $(CHILDREN) --seed 7 --nights 3 --out inbox
	@$(TESSERA) nightly --truth inbox/truth/records.csv

test: setup ## unit, integration and golden tests
	@$(BIN)/pytest -q -n 2

slow: setup spark ## killed nights, concurrent readers, canary, scale
	@$(BIN)/pytest -q -n 2 -m slow --ignore tests/slow/test_killed_night.py
	@$(BIN)/pytest -q -m slow tests/slow/test_killed_night.py # forks: in a process that has done nothing else

spark: $(VENV)/spark ## adds what scores pairs on a Spark cluster (linkage.engine: spark); Java 17 or later is yours to bring

$(VENV)/spark: $(VENV)/ready requirements-spark.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements-spark.lock
	@touch $@

field: setup ## third-party data, where it lies beside the checkout
	@$(BIN)/pytest -q -n 2 -m field -rs

check: setup ## format, lint, types, layers, docs current, lock in step
	@$(BIN)/ruff format --check --quiet . || (echo "not formatted; run: make fix" && exit 1)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports > .lint-imports.out 2>&1 || (cat .lint-imports.out; rm .lint-imports.out; exit 1)
	@rm -f .lint-imports.out
	@$(BIN)/tessera docs --check
	@$(BIN)/python -m tests.lock_in_step

fix: setup ## formats and mends what can be mended
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

dev: setup ## Dagster's pages on http://127.0.0.1:3000 (data team only)
	@$(BIN)/dg dev --host 127.0.0.1

console: setup ## the web application on http://127.0.0.1:8000
	@$(TESSERA) console

notebook: setup ## the analysts' pictures on http://127.0.0.1:2718, as a notebook (marimo)
	@$(BIN)/marimo edit notebooks/standard_pictures.py --host 127.0.0.1 --skip-update-check

pictures: setup ## takes the README's pictures of the console, from the last night
	@$(BIN)/python -m tests.console.pictures

bench: setup ## figures of bench/RESULTS.md, on this commit
	@$(BIN)/python -m bench.run

docs: setup ## writes the generated pages of docs/
	@$(BIN)/tessera docs

lock: setup ## resolves requirements.lock anew
	@$(BIN)/uv pip compile pyproject.toml --extra dev --extra notebook --extra remote --universal --generate-hashes --no-emit-index-url \
		--no-header --no-strip-extras --quiet --output-file requirements.lock
	@sed -n 's/^spark = \["\(.*\)"\]/\1/p' pyproject.toml | $(BIN)/uv pip compile - --universal --generate-hashes --no-emit-index-url \
		--no-header --quiet --output-file requirements-spark.lock

clean: ## removes what a night made (not .venv)
	@rm -rf data inbox .dagster
