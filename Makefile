# `make demo` shows knarr at work, `make test` checks it; both set the machine up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup lint test test-long
setup:
	@./scripts/setup $(VENV)

lint: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest

test-long: setup
	$(BIN)/pytest -m long
