# `make demo` shows knarr at work, `make test` checks it; both set the machine up first.
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup setup-test demo lint test test-long conformance bench
setup:
	@./scripts/setup $(VENV) run

setup-test:
	@./scripts/setup $(VENV) test

demo: setup
	@$(BIN)/python scripts/demo.py

lint: setup-test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest

test-long: setup-test
	$(BIN)/pytest -m long

# Needs checkouts of the suites and images, see the script.
conformance: setup-test
	@./scripts/conformance

bench: setup-test
	$(BIN)/python bench/run.py
