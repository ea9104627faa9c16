# make dashboard: everything, then the dashboard on http://localhost:8866
# make test:      everything, then every test but the whole matrices, the browser ones included
# make test-quick: what needs no training, server or browser; make test-thorough: the matrices, PART=3/10 a tenth of them
# make docs:      the site, into build/docs; make docs-update: what its commands print today, PAGE=docs/how-to/api.md one page
# make docs-pictures: its pictures, of real pages; make release-check: whether all is there for a release
# make check:     lint, types, import contracts
# make fuzz:      for SECONDS=60, all targets or TARGET=photo (CONTRIBUTING.md); make audit: known vulnerabilities
# make lock:      renews the lock file of the tests' environment; make setup LOCKED=1 installs what it names
# make benchmark NAME=page DATA="...": one of the benchmarks; benchmarks/README.md names them all

# one worker on each of two cores; who is done first takes over half of what is left to the other
PARALLEL ?= -n 2 --dist worksteal
PART ?= 1/1
PORT ?= 8866
MODEL ?= model
NAME = page
SECONDS = 60
TARGET =
export PYTHON
# hundreds of processes are started in a run of the tests; without kept bytecode each compiles all that it imports
unexport PYTHONDONTWRITEBYTECODE

PAGE =
.PHONY: setup dashboard test test-quick test-thorough docs docs-update docs-pictures release-check check format fuzz audit lock benchmark clean

setup:
	@./scripts/setup

dashboard: setup
	@.venv/bin/fastclf demo --out "$(MODEL)" --port "$(PORT)"

test: setup
	@chromium=$$(./scripts/browser) && FASTCLF_CHROMIUM=$$chromium ./scripts/run-tests -m "not thorough" $(PARALLEL)

# thousands of small folders lie in memory, where there is room for them, and go with their tests
test-quick: setup
	@[ "$$(df -Pk /dev/shm 2>/dev/null | awk 'END {print $$4}')" -gt 1000000 ] 2>/dev/null && export PYTEST_DEBUG_TEMPROOT=/dev/shm; \
		.venv/bin/python -m pytest -m "not slow and not thorough" -o tmp_path_retention_policy=failed $(PARALLEL)

test-thorough: setup
	@chromium=$$(./scripts/browser) && FASTCLF_CHROMIUM=$$chromium ./scripts/run-tests -m thorough --part $(PART) $(PARALLEL)

docs: setup
	@.venv/bin/python -m sphinx -W --keep-going -q -E -b html docs build/docs
	@echo "build/docs/index.html"

docs-update: setup
	@.venv/bin/python -m tests.docs.update $(PAGE)

docs-pictures: setup
	@chromium=$$(./scripts/browser) && FASTCLF_CHROMIUM=$$chromium .venv/bin/python -m pytest -q -n 0 tests/browser/test_docs_pictures.py --docs-pictures

release-check: setup
	@.venv/bin/python scripts/release-check

check: setup
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

audit: setup
	@.venv/bin/python scripts/audit

lock: setup
	@UV_CUSTOM_COMPILE_COMMAND="make lock" "$$(command -v uv || echo .venv/bin/uv)" pip compile -q --no-config pyproject.toml \
		--extra dev --universal --python-version 3.11 --generate-hashes --no-annotate --upgrade -o requirements.lock

fuzz: setup
	@./scripts/fuzz $(SECONDS) $(TARGET)

benchmark: setup
	@chromium=$$([ "$(NAME)" != page ] || ./scripts/browser) && FASTCLF_CHROMIUM=$$chromium .venv/bin/python -m benchmarks $(NAME) $(DATA)

clean:
	rm -rf .venv model photos/digits photos/digits-report tests/screenshots
