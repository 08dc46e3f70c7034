# make run: every notebook into runs/             make sweep CONFIG=phase_diagram: a sweep     make report: one page
# make test: unit tests, notebook regression      make bench: timings against references       make lint: style, types
# make bench-peers: another program, in an environment of its own, for make bench to compare with
# make site: the notebooks, the reference and the how-to pages as HTML, in docs/_build/html/index.html
# PROFILE=slurm or cluster-generic: run and sweep on a cluster; after a kill -9: make unlock run, make unlock sweep ...
PYTHON ?= python3
BIN := .venv/bin
PROFILE ?= local
CONFIG ?= $(error CONFIG must be a sweep, as in make sweep CONFIG=workflow/sweeps/phase_diagram.yaml)
# the file of a sweep, or the bare name of one in workflow/sweeps
SWEEP = $(or $(wildcard workflow/sweeps/$(CONFIG).yaml),$(CONFIG))
PYTEST := $(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder
# Some processors have instructions with which the last bits of numpy's functions and of matrix products differ, and
# some fits come out differently.  Without them a seed gives the same on x86 processors with AVX2 (tried: two).
REPEATABLE := NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR" OPENBLAS_CORETYPE=Haswell
BATCH := $(REPEATABLE) $(BIN)/python workflow/batch.py $(PROFILE)
# of a notebook in make run, in place of that in workflow/config.yaml: with 1, two run at once on two cores
THREADS_OF_ONE := $(if $(THREADS),--config threads=$(THREADS))
export IPYTHONDIR := $(CURDIR)/tests/ipython
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: run sweep report unlock test bench bench-peers lint site notebooks lock minimum clean

run: .venv/ready
	@$(BATCH) run $(THREADS_OF_ONE)
	@echo "Done. Executed notebooks (.ipynb, .html), their figures and results, and summary.csv are in runs/"

sweep: .venv/ready
	@$(BATCH) sweep "$(SWEEP)"
	@echo "Done. The table, what each job took, and the figure are in runs/sweeps/$(basename $(notdir $(SWEEP)))/"

# of make run, or with CONFIG=... of that sweep
report: .venv/ready
	$(BIN)/snakemake --report runs/report.html $(if $(filter file,$(origin CONFIG)),,sweep --config "sweep=$(SWEEP)")

# after a kill -9 or a power failure
unlock: .venv/ready
	@$(BIN)/snakemake --unlock --quiet all

# two processes, each a file at a time, and each on one thread: two threads of one process are less than twice as fast;
# OMP_WAIT_POLICY: threads that wait leave the cores to the other process
test: export OMP_WAIT_POLICY := passive
test: .venv/ready
	$(PYTEST) tests
	$(REPEATABLE) NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 LOKY_MAX_CPU_COUNT=1 \
		$(PYTEST) --nbval --nbval-current-env --nbval-cell-timeout=300 --doctest-modules notebooks vmfcore

# timings against references, in a table and runs/benchmark.json; five minutes of an idle machine, Linux
bench: .venv/ready
	@mkdir -p runs
	$(BIN)/pytest tests/benchmarks -o python_files='bench_*.py' -o python_functions='bench_*' \
		--benchmark-json=runs/benchmark.json --benchmark-columns=median,rounds -p no:nbval

# another program for the same task, which make bench compares with where it is there; nothing else needs it
bench-peers: .venv-peers/ready

.venv-peers/ready: tests/benchmarks/peers.txt
	$(PYTHON) -m venv --clear .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement $<
	@touch $@

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the committed notebooks as they are, and the docstrings; nothing is executed, warnings are errors
site: .venv/ready
	$(BIN)/sphinx-build -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "Done. The site is in docs/_build/html/index.html"

# execute the committed notebooks in place, after a change that alters their output, and renew the README's figure
notebooks: .venv/ready
	$(REPEATABLE) $(BIN)/snakemake --workflow-profile workflow/profiles/local --rerun-incomplete runs/02_overlap_vs_density.html
	cp runs/02_overlap_vs_density/overlap_against_density.png notebooks/
	$(REPEATABLE) $(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
		notebooks/*.ipynb

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python >= 3.11 is needed, found " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# the newest versions that pyproject.toml allows, with the hashes of their files, and with extras: without them pip takes
# the newest version where a package asks for another with extras, and refuses it
lock: .venv/ready
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-strip-extras --quiet --output-file requirements.lock

# the tests with the oldest versions that pyproject.toml allows
minimum: .venv/ready
	$(BIN)/uv venv --clear --quiet --python $(BIN)/python .venv-minimum
	$(BIN)/uv pip install --quiet --python .venv-minimum --resolution lowest-direct --editable '.[dev]'
	.venv-minimum/bin/pytest tests

clean:
	rm -rf runs .venv .venv-minimum .venv-peers .snakemake docs/_build docs/copied docs/notebooks docs/reference
