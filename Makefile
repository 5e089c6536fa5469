# shipviz. `make demo` and `make test` do all the set-up by themselves; `make help` lists the rest.
# Options: PYTHON=python3.12 (3.10 or newer), VENV=.venv, PHOTOS="a.jpg b.jpg" for the demo, and for nbs
# NB=nbs/05_stride.ipynb.

PYTHON  ?= python3
VENV    ?= .venv
DEMO    ?= demo
PHOTOS  ?=
NB      ?=
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 2 ? 2 : n > 4 ? 4 : n)))
TRIES   ?= 50
SECONDS ?= 720

BIN    := $(abspath $(VENV))/bin
NEWEST := $(abspath $(VENV))-newest
NBS    := $(BIN)/python scripts/nbs.py
STEP    = @printf '\n== %s\n'

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test lint check nbtest wheel pytest bench bench-real zoo browser-test wasm stress stress-stream
.PHONY: nbs clean-nbs export readme site site-test clean

help:
	@echo 'make demo          install into $(VENV), train on rendered ships, write an HTML report into $(DEMO)/'
	@echo '                   (PHOTOS="a.jpg b.jpg" shows your own pictures in it too)'
	@echo 'make test          install the development tools, run all that CI runs'
	@echo 'make bench         tables: heatmaps beside pytorch-grad-cam and Captum, their scores, the widgets'
	@echo 'make bench-real    train on the photos of the hackathon and write a submission'
	@echo '                   (SHIPVIZ_HACKATHON names their folder)'
	@echo 'make zoo           is the map right? On a network of each family of torchvision, fastai, timm,'
	@echo '                   transformers and segmentation_models_pytorch; writes tests/zoo.md'
	@echo 'make browser-test  the widgets and the explorer pages in a real Chromium'
	@echo 'make wasm          compile the engine of the explorer page, with a compiler of its own (300 MB)'
	@echo 'make stress        killed work, full disks, long use and fuzzing, at length: an hour and a half'
	@echo '                   (SECONDS=720 for each fuzzed reader, TRIES=50 for each kind of work)'
	@echo 'make stress-stream kill a run over 5,000 pictures twenty times; the result must be that of one run'
	@echo 'make nbs           execute all notebooks, or one (NB=nbs/05_stride.ipynb), keeping their outputs'
	@echo 'make export readme write shipviz/ and README.md from the notebooks'
	@echo 'make site          lessons, API, glossary, gallery and live explorers as web pages in _site/'
	@echo 'make site-test     the site: links, words for pictures, hosts, accessibility, in a real Chromium'
	@echo 'make clean-nbs     clean the notebooks, keeping execution counts'
	@echo 'make clean         remove what is built; $(VENV) and $(notdir $(NEWEST)) stay'


# Set-up: each stamp is newer than all that its environment depends on, so nothing is installed twice

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo 'There is no $(PYTHON) here. shipviz needs Python 3.10 or newer:' \
	  'install one, or name it: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.11'; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo 'shipviz needs Python 3.10 or newer, and $(PYTHON) is older ('"$$($(PYTHON) -V)"').' \
	  'Name another: make PYTHON=python3.11 $(MAKECMDGOALS)'; exit 1; } >&2
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made settings.ini setup.py pyproject.toml constraints.txt
	$(STEP) 'Installing into $(VENV): some minutes the first time'
	$(BIN)/python -m pip install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made settings.ini setup.py pyproject.toml constraints.txt
	$(STEP) 'Installing into $(VENV), with the development tools: some minutes the first time'
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip check
	@touch $(VENV)/.installed $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev,bench]'
	@touch $@

$(VENV)/.installed-site: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev,site]'
	@touch $@

$(VENV)/.installed-zoo: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev,zoo]'
	@touch $@


# For everyone

demo: $(VENV)/.installed
	$(BIN)/shipviz demo $(PHOTOS) -o $(DEMO) --force

# The notebooks and the library first, since they fail fastest; pytest last, so that its count closes the run.
# They share a cache, made anew for each run, unless SHIPVIZ_HOME names one.
test nbtest pytest browser-test: export SHIPVIZ_HOME ?= $(abspath $(VENV))/test-cache
test: $(VENV)/.installed-dev
	@rm -rf $(VENV)/test-cache
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory wheel
	@$(MAKE) --no-print-directory nbtest
	@$(MAKE) --no-print-directory pytest

lint: $(VENV)/.installed-dev
	$(STEP) 'Style'
	$(BIN)/ruff check
	$(STEP) 'Types'
	$(BIN)/mypy

check: $(VENV)/.installed-dev
	$(STEP) 'Notebooks, library and README agree'
	$(NBS) check

# The longest lesson runs beside the others from the start, on top of WORKERS
LONGEST := 17_causes
nbtest: export OMP_NUM_THREADS = 1
nbtest: $(VENV)/.installed-dev
	$(STEP) 'Every notebook as a test'
	$(BIN)/nbdev_test --path nbs/$(LONGEST).ipynb --timing & longest=$$!; \
	trap 'kill $$longest; exit 130' INT TERM; \
	$(BIN)/nbdev_test --n_workers $(WORKERS) --timing --skip_folder_re '^[_.]|^solutions$$' \
	  --skip_file_re '^[_.]|^$(LONGEST)'; \
	others=$$?; wait $$longest || { echo 'nbs/$(LONGEST).ipynb failed: see above' >&2; exit 1; }; exit $$others

# Built by way of the sdist, and installed beside the newest fastai, where only what the wheel asks for is
# installed
wheel: $(VENV)/.installed-dev
	$(STEP) 'The wheel, with the newest fastai'
	@rm -rf $(VENV)/dist
	$(BIN)/python -m build --no-isolation --outdir $(VENV)/dist . >$(VENV)/build.log 2>&1 || { \
	  cat $(VENV)/build.log; exit 1; }
	@$(MAKE) --no-print-directory $(NEWEST)/.installed
	$(NEWEST)/bin/python -m pip install -q --no-deps --force-reinstall $(VENV)/dist/*.whl
	$(NEWEST)/bin/python -m pip check

$(NEWEST)/.installed: $(VENV)/.made settings.ini setup.py constraints-newest.txt
	$(BIN)/python -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install -c constraints-newest.txt $(VENV)/dist/*.whl
	@touch $@

pytest: $(VENV)/.installed-dev
	$(STEP) 'The tests that notebooks cannot hold'
	OMP_NUM_THREADS=1 MPLBACKEND=Agg SHIPVIZ_WHEEL_ENV=$(NEWEST) $(BIN)/python -m pytest -n $(WORKERS) \
	  --dist loadfile --durations=8

bench: $(VENV)/.installed-bench
	@for script in $(filter-out benchmarks/bench_real.py,$(wildcard benchmarks/*.py)); do \
	  printf '\n== %s\n' $$script; $(BIN)/python $$script || exit 1; \
	done

# Half an hour: the whole training, a submission and the cross-validation of the head, with processor times
bench-real: $(VENV)/.installed-dev
	@test -d "$(SHIPVIZ_HACKATHON)" || { \
	  echo 'SHIPVIZ_HACKATHON must name the unpacked folder of the hackathon:' \
	  'make bench-real SHIPVIZ_HACKATHON=/path/to/it' >&2; exit 1; }
	SHIPVIZ_HACKATHON="$(SHIPVIZ_HACKATHON)" $(BIN)/python benchmarks/bench_real.py

# Half an hour: some 150 networks with random weights. ONLY='timm: vit' asks some, and leaves the table alone.
zoo: $(VENV)/.installed-zoo
	$(BIN)/python tests/zoo.py $(if $(ONLY),"$(ONLY)",--table tests/zoo.md)

browser-test: $(VENV)/.installed-dev
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get && apt-get update -q && apt-get install -yq chromium; } || \
	  { echo 'This needs Chromium: install it (Debian: apt-get install chromium), then try again.' >&2; exit 1; }
	MPLBACKEND=Agg $(BIN)/python -m pytest -m browser

# The compiler is pinned in scripts/wasm.py; with it the same source gives the same bytes everywhere.
wasm: $(VENV)-wasm/.made
	$(VENV)-wasm/bin/python scripts/wasm.py build
	git diff --stat -- shipviz/page/engine.wasm

$(VENV)-wasm/.made: $(VENV)/.made scripts/wasm.py
	$(BIN)/python -m venv $(VENV)-wasm
	$(VENV)-wasm/bin/python -m pip install -q ziglang==$$(sed -n 's/^COMPILER = "\(.*\)".*/\1/p' scripts/wasm.py)
	@touch $@

# At length what tests/test_stress.py does in short
stress: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q atheris
	OMP_NUM_THREADS=1 $(BIN)/python tests/stress/kills.py $(TRIES)
	OMP_NUM_THREADS=1 $(BIN)/python tests/stress/long.py
	$(BIN)/python tests/stress/fuzz.py $(SECONDS)

stress-stream: $(VENV)/.installed-dev
	$(BIN)/python tests/stress_stream.py


# For authors

nbs: $(VENV)/.installed-dev
	$(NBS) run $(NB)

clean-nbs: $(VENV)/.installed-dev
	$(NBS) clean $(NB)

readme export: $(VENV)/.installed-dev
	$(NBS) $@

# Nothing is executed but the two explorers' pages: a minute and a half on two cores
site: $(VENV)/.installed-site
	$(BIN)/python scripts/site/build.py

site-test: site
	SHIPVIZ_SITE=_site $(BIN)/python -m pytest tests/test_site.py --durations=5

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis _proc _site $(VENV)/dist
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
	find nbs -name .ipynb_checkpoints -prune -exec rm -rf {} +
	@rm -f $(VENV)/.installed $(VENV)/.installed-dev $(VENV)/.installed-zoo $(VENV)/.installed-site
