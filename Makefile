# `make demo` shows the program on its built-in recording, `make test` checks
# everything. Both set up `.venv` first; a second call finds it as it is.
#
#   PYTHON       interpreter to make `.venv` with (3.11 or newer)
#   TORCH_INDEX  PyTorch's own package index, for instance
#                https://download.pytorch.org/whl/cpu    (small, no CUDA)
#                https://download.pytorch.org/whl/cu128  (CUDA 12.8)
#   OUT          where `make demo` leaves screenshots and results

SHELL := /bin/sh
PYTHON ?=
TORCH_INDEX ?=
VENV ?= .venv
OUT ?= demo-output

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
MADE := $(VENV)/.made
TORCH := $(VENV)/.torch-$(subst :,-,$(subst /,-,$(TORCH_INDEX)))
GUI := $(VENV)/.gui
DEV := $(VENV)/.dev

.PHONY: demo test lint pictures clean

demo: $(GUI)
	sh scripts/system_libraries.sh $(BIN)/python
	$(BIN)/python scripts/show_demo.py --out $(OUT)

test: $(DEV)
	sh scripts/system_libraries.sh $(BIN)/python xvfb
	$(BIN)/python scripts/run_checks.py

lint: $(DEV)
	$(BIN)/python scripts/run_checks.py --no-tests

pictures: $(DEV)
	sh scripts/system_libraries.sh $(BIN)/python xvfb
	$(BIN)/python scripts/with_display.py $(BIN)/python docs/make_pictures.py

clean:
	rm -rf $(VENV) $(OUT) build dist

$(MADE):
	sh scripts/make_venv.sh "$(VENV)" "$(PYTHON)"
	touch $@

# Without its dependencies: those come from the usual index, as the constraints say.
$(TORCH): $(MADE) constraints.txt
ifneq ($(TORCH_INDEX),)
	$(PIP) --no-deps --force-reinstall --index-url $(TORCH_INDEX) torch
endif
	touch $@

$(GUI): $(TORCH) pyproject.toml constraints.txt
	@echo "Installing into $(VENV); the first time this takes a few minutes."
	$(PIP) -e ".[gui]"
	touch $@

$(DEV): $(TORCH) pyproject.toml constraints.txt
	@echo "Installing into $(VENV); the first time this takes a few minutes."
	$(PIP) -e ".[dev]"
	touch $@ $(GUI)
