# `make` lists the targets. Each one can be run on its own; all of them set the machine up first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup test-setup bench-setup demo test lint format unit contract packaging e2e bench clean
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nucleo/tools/links
export PATH := $(TOOLS):$(PATH):/usr/local/sbin:/usr/sbin:/sbin
# Without compiled modules each start of the program takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PYTEST := $(BIN)/pytest -q

help: ## List the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Install what is missing; make .venv with the program at .venv/bin/nucleo
	@bash .ci/setup

test-setup:
	@bash .ci/setup test

bench-setup:
	@bash .ci/setup bench

demo: setup ## Start a local Kubernetes and deploy the Python example to it
	@bash .ci/demo

test: test-setup lint unit ## Lint, then every test; brings a cluster of its own up and takes it down again
	@$(PYTEST) tests/packaging tests/contract tests/e2e

lint: test-setup ## ruff, pyright and the import contracts
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { $(BIN)/ruff format --check; echo "make format does it"; exit 1; }
	@$(BIN)/pyright --warnings
	@out=$$($(BIN)/lint-imports 2>&1) || { echo "$$out"; exit 1; }

format: test-setup ## Let ruff format and repair what it can
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --fix --quiet

unit: test-setup ## Fast tests that know no network
	@$(PYTEST) -n 2 tests/unit

contract: test-setup ## Each adapter against its real server
	@$(PYTEST) tests/contract

packaging: test-setup ## The wheel, installed clean
	@$(PYTEST) tests/packaging

e2e: test-setup ## The installed program against a real cluster; NUCLEO_KEEP=1 leaves it running
	@$(PYTEST) tests/e2e

bench: bench-setup ## Measure the budgets beside the raw tools; ONLY=builds APPS=gin SCENARIOS=one-line RUNS=3 CLUSTER=local JSON=bench.json
	@$(BIN)/python -m tests.bench $(ONLY:%=--only %) $(APPS:%=--apps %) $(SCENARIOS:%=--scenarios %) $(RUNS:%=--runs %) $(CLUSTER:%=--cluster %) $(JSON:%=--json %)

clean: ## Remove what building and testing left in this folder; cluster and caches stay
	@rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache nucleo_cli/_assets bpf_programs/build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
