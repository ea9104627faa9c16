# make dashboard: everything, then the dashboard on http://localhost:8866
# make test:      everything, then the tests, the browser ones included
# make test-thorough: the whole matrices, of which make test runs a part
# make check:     lint, types, import contracts
# make benchmark NAME=page DATA="...": one of the benchmarks; benchmarks/README.md names them all

# files of tests run side by side, one on each of two cores; torch takes both where it runs alone
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder
PORT ?= 8866
MODEL ?= model
NAME = page
export PYTHON

.PHONY: setup dashboard test test-quick test-thorough check format benchmark clean

setup:
	@./scripts/setup

dashboard: setup
	@.venv/bin/fastclf demo --out "$(MODEL)" --port "$(PORT)"

test: setup
	@chromium=$$(./scripts/browser) && FASTCLF_CHROMIUM=$$chromium .venv/bin/python -m pytest -m "not thorough" $(PARALLEL)

test-quick: setup
	@.venv/bin/python -m pytest -m "not slow and not thorough" $(PARALLEL)

test-thorough: setup
	@chromium=$$(./scripts/browser) && FASTCLF_CHROMIUM=$$chromium .venv/bin/python -m pytest -m thorough $(PARALLEL)

check: setup
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

benchmark: setup
	@chromium=$$([ "$(NAME)" != page ] || ./scripts/browser) && FASTCLF_CHROMIUM=$$chromium .venv/bin/python -m benchmarks $(NAME) $(DATA)

clean:
	rm -rf .venv model photos/digits photos/digits-report tests/screenshots
