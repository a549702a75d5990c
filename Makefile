# `make demo` shows what the project does, `make test` proves that it works; both set up what they
# need on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
MODEL ?= demo
STAMP := $(VENV)/.installed

.PHONY: demo test clean

demo: $(STAMP)
	$(VENV)/bin/python scripts/demo.py --model $(MODEL)

test: $(STAMP)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest

$(STAMP): requirements.txt requirements-dev.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) demo_out .mypy_cache .pytest_cache .ruff_cache
