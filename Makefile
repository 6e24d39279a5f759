# Needs Python >= 3.11 with its venv module, and make. Everything else is installed into .venv, hash-checked.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Faults and property tests take minutes on one core; two workers are what most machines have at least.
TEST_WORKERS ?= 2
SOAK_ROUNDS ?= 300
export UV_PYTHON_DOWNLOADS := never

.PHONY: help demo test lint bench protos vectors soak format lock clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

demo: $(VENV)/.ready ## the main job, end to end, on the embedded defaults
	@$(BIN)/sealdraw demo

test: $(VENV)/.ready ## the whole test suite
	@$(BIN)/python -m pytest -n $(TEST_WORKERS)

lint: $(VENV)/.ready ## style, types, import direction, generated code and help text
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format" >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@PATH=$(abspath $(BIN)):$$PATH $(BIN)/python tests/tools/generate_protos.py --check
	@$(BIN)/buf lint
	@$(BIN)/python tests/tools/readme_help.py --check
	@$(BIN)/python tests/tools/make_game_schema.py --check

bench: $(VENV)/.ready ## ratios and raw figures from one run
	@$(BIN)/sealdraw bench

soak: $(VENV)/.ready ## hundreds of rounds of kill -9 under load
	@SOAK_ROUNDS=$(SOAK_ROUNDS) $(BIN)/python -m pytest -m soak -o addopts= -q -s tests/end_to_end

protos: $(VENV)/.ready ## generate the gRPC modules from protos/
	@PATH=$(abspath $(BIN)):$$PATH $(BIN)/python tests/tools/generate_protos.py

vectors: $(VENV)/.ready ## regenerate the frozen vectors and compare
	@$(BIN)/python tests/tools/check_vectors.py

format: $(VENV)/.ready ## format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lock: $(VENV)/.ready ## resolve the dependencies again and write their hashes
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header \
		--all-extras --group dev pyproject.toml -o requirements.txt
	@echo hatchling==1.33.0 | $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--no-header --extra server --extra postgres --extra stats pyproject.toml - -o requirements-server.txt

clean: ## remove what make made
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sealdraw needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "sealdraw needs Python's venv module: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	@$(BIN)/uv pip install --quiet --python $(VENV) --require-hashes --requirement requirements.txt
	@$(BIN)/uv pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	@touch $@
