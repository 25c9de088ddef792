# `make demo` runs the main job, `make test` runs every check. Both set up .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test setup clean

setup: $(VENV)/.installed

# torch first and alone: later requirements then find it and bring no other build of it.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "archspace needs Python 3.11 or later; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/archspace analyze shufflenet_v1 --g 8
	$(BIN)/archspace compare shufflenet_v1@g=3 shufflenet_v2 mobilenet_v2 fenet --device gtx1080ti
	$(BIN)/archspace search spaces/shufflenet_v1.toml --max-madds 140M --trials 200 -o $(DEMO)
	$(BIN)/archspace build $(DEMO)/winners/01/graph.json -o $(DEMO)/winner.pt2 --check --force
	$(BIN)/python studies/digits/study.py $(DEMO)/winners/01/graph.json
	@echo
	@echo "The report is $(DEMO)/report.html, the winner is $(DEMO)/winner.pt2."

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist worksteal

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
