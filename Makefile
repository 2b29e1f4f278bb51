# Python 3.11 or newer, make and pip are all that is needed: every target sets up what it uses.
#   make PYTHON=python3.13 VENV=.venv313 test      another interpreter, another environment
#   make TORCH=elsewhere/bin/python bench          beside PyTorch, which that interpreter has
PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TYPING := build/typing/rhoflow
# One process per core, each with whole files, since the tests of a file share compiled programs.
WORKERS := --numprocesses auto --maxprocesses 4 --dist loadfile

.DELETE_ON_ERROR:
.PHONY: help run test test-slow lint bench notebooks clean typing-links

help:
	@echo "make run        the quickstart experiment"
	@echo "make test       the quick tests"
	@echo "make test-slow  the slow tests"
	@echo "make lint       ruff and mypy"
	@echo "make bench      every script in benchmarks/"
	@echo "make notebooks  executes the chapters in notebooks/ and renders their pages"
	@echo "make clean      remove caches and builds (and leave $(VENV) alone)"

run: $(VENV)/.installed
	$(BIN)/rhoflow run quickstart

test: $(VENV)/.installed-test
	$(BIN)/pytest $(WORKERS) -m "not slow"

test-slow: $(VENV)/.installed-test
	$(BIN)/pytest $(WORKERS) -m slow

lint: $(VENV)/.installed-lint typing-links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test
	@for script in $(wildcard benchmarks/*.py); do \
	    set --; \
	    if [ -n "$(TORCH)" ] && grep -q '"--torch"' $$script; then set -- --torch "$(TORCH)"; fi; \
	    echo "== $$script $$*"; $(BIN)/python $$script "$$@" || exit 1; done

notebooks: $(VENV)/.installed-notebook
	$(BIN)/python notebooks/render.py

clean:
	rm -rf build dist rhoflow.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .benchmarks
	find $(wildcard models dynamics experiments tests benchmarks notebooks) -name __pycache__ -prune -exec rm -rf {} +

# mypy must see the folders under their installed names, or relative imports across them fail.
typing-links:
	@mkdir -p $(TYPING)
	@ln -sfn ../../../models $(TYPING)/models
	@ln -sfn ../../../dynamics $(TYPING)/dynamics
	@ln -sfn ../../../experiments $(TYPING)/experiments

# The environment and what is installed in it. Each stamp is renewed when the lists change. Some
# systems ship Python without ensurepip: there the pip at hand brings pip into the environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "rhoflow needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)"; \
	    echo "Name another one, for instance: make PYTHON=python3.13"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) \
	    && $(PYTHON) -m pip --python $(BIN)/python install pip; } || { rm -f $@; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable ".[$*]"
	@touch $@
