# make dashboard: everything, then the dashboard on http://localhost:8866
# make test:      everything, then every test, the browser ones included
# make check:     lint, types, import contracts

PORT ?= 8866
MODEL ?= model
export PYTHON

.PHONY: setup dashboard test test-quick check format benchmark clean

setup:
	@./scripts/setup

dashboard: setup
	@.venv/bin/fastclf demo --out "$(MODEL)" --port "$(PORT)"

test: setup
	@chromium=$$(./scripts/browser) && FASTCLF_CHROMIUM=$$chromium .venv/bin/python -m pytest

test-quick: setup
	@.venv/bin/python -m pytest -m "not slow"

check: setup
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

benchmark: setup
	@chromium=$$(./scripts/browser) && FASTCLF_CHROMIUM=$$chromium .venv/bin/python benchmarks/page.py

clean:
	rm -rf .venv model photos/digits tests/screenshots
