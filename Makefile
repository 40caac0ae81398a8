# One word, one job. The first use of a word sets up what it needs in .venv; nothing else on the machine changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
OUT ?= out

.PHONY: run test check validate bench docs lock clean

run: $(VENV)/.run  ## the packaged demonstration study on the packaged world, both languages
	$(BIN)/hinterland run -o $(OUT)

test: $(VENV)/.dev  ## every test
	$(BIN)/python -m pytest -n 2 -q

check: $(VENV)/.dev  ## style, types, import law
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

validate: $(VENV)/.dev  ## slow simulation studies: bias, coverage, size; writes docs/reference/validation.md
	@mkdir -p $(OUT) && rm -f $(OUT)/validation.jsonl
	OMP_NUM_THREADS=1 HINTERLAND_VALIDATION=$(abspath $(OUT)/validation.jsonl) $(BIN)/python -m pytest -q -n 2 -m validate
	$(BIN)/python scripts/validation_page.py $(OUT)/validation.jsonl

bench: $(VENV)/.bench  ## ours and the peers on the same data, in one run
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.docs  ## the documentation, warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lock: $(VENV)/.lock  ## pin every dependency again (needs the network)
	for extra in run dev docs bench; do $(BIN)/python scripts/lock.py $$extra || exit 1; done

clean:
	rm -rf $(VENV) $(OUT) docs/_build .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hinterland needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Use: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

define install
	$(PIP) install -q --require-hashes -r requirements/$(1).txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(call install,run)

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(call install,dev)

$(VENV)/.docs: requirements/docs.txt pyproject.toml | $(VENV)/bin/python
	$(call install,docs)

$(VENV)/.bench: requirements/bench.txt pyproject.toml | $(VENV)/bin/python
	$(call install,bench)

$(VENV)/.lock: | $(VENV)/bin/python
	$(PIP) install -q uv
	@touch $@
