# Needs Python >= 3.11 with its venv module, and make. Everything else is installed into .venv, hash-checked.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: demo test lint bench protos vectors soak format lock clean help

help: ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

demo: $(VENV)/.ready ## the main job, end to end, on the embedded defaults
	@$(BIN)/sealdraw demo

test: $(VENV)/.ready ## the whole test suite
	@$(BIN)/python -m pytest

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sealdraw needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "sealdraw needs Python's venv module: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	@$(BIN)/uv pip install --quiet --python $(VENV) --require-hashes --requirement requirements.txt
	@$(BIN)/uv pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	@touch $@

protos: $(VENV)/.ready ## generate the gRPC modules from protos/
	@$(BIN)/python tests/tools/generate_protos.py
