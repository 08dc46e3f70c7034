# make run: execute every notebook into runs/      make test: unit tests and notebook regression tests
# make bench: timings against references           make lint: style
PYTHON ?= python3
BIN := .venv/bin
NAMES := $(basename $(notdir $(wildcard notebooks/*.ipynb)))
export IPYTHONDIR := $(CURDIR)/tests/ipython
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: run test bench lint notebooks clean

run: $(NAMES:%=runs/%.html)
	@echo "Done. Executed notebooks (.ipynb, .html) are in $(CURDIR)/runs, figures and results in"
	@printf '  %s\n' $(NAMES:%=runs/%/)

# papermill leaves a notebook behind when it fails, so the HTML copy stands for a finished run
runs/%.html: notebooks/%.ipynb notebooks/vmf.mplstyle notebooks/digits.py $(wildcard vmfcore/*.py) $(wildcard data/*) .venv/ready
	@mkdir -p runs/$*
	$(BIN)/papermill $< runs/$*.ipynb -p out runs/$* --progress-bar --no-log-output
	@$(BIN)/jupyter nbconvert --log-level=ERROR --to html runs/$*.ipynb

test: .venv/ready
	$(BIN)/pytest tests
	$(BIN)/pytest --nbval --nbval-current-env --nbval-cell-timeout=300 notebooks

# timings against references, in a table and runs/benchmark.json; three minutes of an idle machine, Linux
bench: .venv/ready
	@mkdir -p runs
	$(BIN)/pytest tests/benchmarks -o python_files='bench_*.py' -o python_functions='bench_*' \
		--benchmark-json=runs/benchmark.json --benchmark-columns=median,rounds -p no:nbval

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# execute the committed notebooks in place, after a change that alters their output, and renew the README's figure
notebooks: .venv/ready runs/02_overlap_vs_density.html
	cp runs/02_overlap_vs_density/overlap_against_density.png notebooks/
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
		notebooks/*.ipynb

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python >= 3.11 is needed, found " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

clean:
	rm -rf runs .venv
