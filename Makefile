# Every target sets up .venv by itself. Plain `make` prints the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint types bench scale torture streets clean

help: ## print the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(VENV)/.core: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(UV) --editable .
	@touch $@

# torch with pip itself: it finds the CPU build where one is offered; see docs/decisions/0002-dependencies.md
$(VENV)/.dev: $(VENV)/.core
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(UV) --editable '.[hf,ocr,mcp,train,dev]'
	@touch $@

venv: $(VENV)/.dev ## .venv with everything that tests and training need

demo: $(VENV)/.core ## index the bundled street scenes and search them
	@$(BIN)/sightline demo --no-serve

test: $(VENV)/.dev ## every test but the long series
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev ## the benchmarks behind the README's numbers (minutes; alone on the machine)
	$(BIN)/python benchmarks/bench_ingest.py --json benchmarks/results/ingest.json
	$(BIN)/python benchmarks/bench_encoders.py --cache .cache/models --out benchmarks/results/encoders.json
	$(BIN)/python benchmarks/bench_decoding.py --json benchmarks/results/decoding.json
	$(BIN)/python benchmarks/bench_pictures.py --json benchmarks/results/pictures.json
	$(BIN)/python benchmarks/bench_captions.py --json benchmarks/results/captions.json
	$(BIN)/python benchmarks/bench_likes.py --json benchmarks/results/likes.json
	$(BIN)/python benchmarks/bench_serve.py --out benchmarks/results/serve.json

# faiss is compared with where it is installed (pip install faiss-cpu); nothing of ours needs it
SCALE := .cache/scale
scale: $(VENV)/.dev ## the benchmarks of large collections, to a million pictures (half an hour, 12 GB in .cache/scale)
	@mkdir -p $(SCALE)
	$(BIN)/python benchmarks/bench_search.py --rows 10000 100000 1000000 --folder $(SCALE) --json benchmarks/results/search.json
	$(BIN)/python benchmarks/bench_search.py --plot benchmarks/results/search.json --save docs/images/search-growth.png
	$(BIN)/python benchmarks/bench_filters.py --rows 100000 1000000 --folder $(SCALE) --json benchmarks/results/filters.json
	$(BIN)/python benchmarks/bench_growing.py --rows 1000000 --pictures 50000 --folder $(SCALE) --json benchmarks/results/growing.json

torture: $(VENV)/.dev ## the long kill, load and fuzz series
	$(BIN)/python -m pytest -m torture $(ARGS)

# The bundled scenes, from nothing: about an hour of two cores, resumable, needs Python 3.11. See streets/README.md
STREETS := .cache/streets
streets: $(VENV)/.core ## render the bundled street scenes again and pack them (an hour or more; resumable)
	@test -x $(STREETS)/venv/bin/python || $(PYTHON) -m venv $(STREETS)/venv
	@$(STREETS)/venv/bin/python -m pip install --quiet --disable-pip-version-check -r streets/requirements.txt
	$(STREETS)/venv/bin/python -m streets render --seeds 0:850 --samples 3 --out $(STREETS)/full
	$(BIN)/python -m streets pack --scenes $(STREETS)/full --out src/sightline/data/streets

clean: ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
