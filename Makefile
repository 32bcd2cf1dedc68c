# The two commands of the README: `make run` and `make test`. `make setup` is all they need.
SHELL := /bin/bash
unexport PYTHONDONTWRITEBYTECODE
.PHONY: setup run test check fix docs lock

setup:
	@bash scripts/setup.sh

run: setup
	@.venv/bin/releve simulate --quick --serve

test: setup
	@.venv/bin/python -m pytest -n 4

check: setup
	@.venv/bin/ruff check src tests bench scripts
	@.venv/bin/ruff format --check src tests bench scripts
	@.venv/bin/mypy
	@.venv/bin/lint-imports

fix:
	@.venv/bin/ruff check --fix src tests bench scripts
	@.venv/bin/ruff format src tests bench scripts

docs: setup
	@.venv/bin/python scripts/errors.py
	@.venv/bin/python scripts/changelog.py
	@.venv/bin/python scripts/papers.py

lock:
	@bash scripts/lock.sh
