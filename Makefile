# `make` alone explains itself. The work is done by the scripts and modules named here.

.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTHON := $(BIN)/python
WORKERS ?= 3
ARGS ?=

.PHONY: help
help: ## Show this list
	@printf '\033[1mRoadstead\033[0m: shared file systems for clouds of virtual machines. Needs Debian 12 and root.\n\n'
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  \033[36mmake %-14s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nARGS="..." passes arguments on, as in: make test ARGS="-k access"\n'

.PHONY: setup
setup: ## Make a fresh machine ready (packages, .venv, lab machines); quick when it is
	@./scripts/setup.sh

.PHONY: demo
demo: setup ## Watch shares reach virtual machines over every road
	@$(PYTHON) -m demo $(ARGS)

.PHONY: up
up: setup ## Run the whole service on this machine
	@$(BIN)/roadstead up $(ARGS)

.PHONY: test
test: lint ## Lint, then run all tests
	@$(PYTHON) -m tests -n $(WORKERS) --dist loadfile --durations 15 $(ARGS)

.PHONY: lint
lint: setup ## Check style, types and layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

.PHONY: docs
docs: setup ## Print anew what docs/ has from the code's tables
	@$(PYTHON) -m scripts.docs

.PHONY: crash
crash: setup ## Kill the service at every step of every operation, and look for what is left
	@$(PYTHON) -m tests.crash $(ARGS)

.PHONY: bench
bench: setup ## Measure the API and the roads
	@$(PYTHON) -m bench $(ARGS)

.PHONY: keystone-env
keystone-env: ## Make the tests' Keystone anew
	@rm -rf .setup/keystone-venv .setup/keystone-template
	@./scripts/keystone-env.sh

.PHONY: lock
lock: ## Lock the Python packages anew after a change in pyproject.toml (ARGS=--upgrade: newest versions)
	@./scripts/lock.sh $(ARGS)

.PHONY: clean
clean: ## Remove all that setup and the tools made here (not the Debian packages)
	@rm -rf .venv .setup .lab .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
