# `make demo` shows what the project does, `make test` proves that it works, `make lint` is its first
# half, `make bench` measures how fast it is here; each sets up what it needs on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
MODEL ?= demo
STAMP := $(VENV)/.installed

.PHONY: demo lint test bench clean

demo: $(STAMP)
	$(VENV)/bin/python scripts/demo.py --model $(MODEL)

lint: $(STAMP)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

test: lint
	$(VENV)/bin/pytest -n auto --dist loadscope --no-loadscope-reorder

bench: $(STAMP)
	$(VENV)/bin/python scripts/benchmark.py

$(STAMP): requirements.txt requirements-dev.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) demo_out .mypy_cache .pytest_cache .ruff_cache
