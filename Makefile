# make demo | test | fuzz | figures | report | bench | image | archive | dvc | integration | lock | lint | clean. Everything is installed into .venv, but for figures, which need far less,
# into .venv-figures; nothing elsewhere.
PYTHON ?= python3
VENV := .venv
FIGURES_VENV := .venv-figures
ACTIVATE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
CHECK_PYTHON := $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
  || { echo "error: PYTHON: $(PYTHON) is not allowed: Python 3.11 or newer is needed (make PYTHON=...)" >&2; exit 2; }
SOURCES := Snakefile workflow/rules/*.smk
PYTHON_SOURCES := anytime_pruning workflow tests benchmarks

.PHONY: demo test figures report bench image archive integration lock lint clean help

help:
	@echo "make demo      train the demonstration and draw its figures (minutes, no GPU)"
	@echo "make test      run the tests"
	@echo "make figures   draw the figures again of every study that has results; trains nothing"
	@echo "make report    the same, and for each study a page to read: results/<study>/report.html"
	@echo "make dvc       dvc repro: the same as make demo, with results versioned by DVC; installs DVC, too"
	@echo "make bench     measure the speed of this machine (15 minutes; make bench QUICK=1: 3)"
	@echo "make image     build the container image, envs/anytime-pruning.sif (make image REQUIREMENTS=envs/requirements.txt: CPU)"
	@echo "make archive   write a checksummed archive of this commit into dist/"
	@echo "make integration  test container, DVC, Slurm and archive with the tools that are here (10 minutes)"
	@echo "make lock      write envs/requirements.lock after an edit of envs/requirements.txt"
	@echo "make fuzz      10,000 hostile configuration files of each kind, and as many damaged archives and images (13 minutes)"
	@echo "make lint      check format and style"
	@echo "make clean     remove the demonstration's results and figures, and caches"

demo: $(VENV)/runs
	@$(ACTIVATE) snakemake --cores all
	@echo "The figures and the results table are in paper_figures/demo/, the numbers behind them in results/demo/."

test: $(VENV)/develops
	@$(ACTIVATE) python -m pytest

# What an image holds. The lock is for NVIDIA GPUs; requirements.txt takes a CPU build of torch where pip finds one.
REQUIREMENTS ?= envs/requirements.lock

image:
	@envs/build-image.sh $(REQUIREMENTS) envs/anytime-pruning.sif

# What is not installed is skipped, and the last lines say so.
integration: $(VENV)/integrates
	@$(ACTIVATE) python -m pytest -m integration -rs tests/integration

# Versions as in requirements.txt, with what torch needs on a GPU, the hash of every file, and no address.
lock: $(VENV)/develops
	@$(ACTIVATE) UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --no-config --generate-hashes --no-annotate \
	  --no-emit-index-url --no-emit-find-links --python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
	  --output-file envs/requirements.lock envs/requirements.txt
	@echo "envs/requirements.lock holds $$(grep -c == envs/requirements.lock) versions with their hashes."

# Only the rules that draw are allowed: nothing is trained. A figure whose runs are missing says which in its place, the
# others are drawn, and the command fails.
DRAW := --cores all --keep-going --forcerun collect_present_runs \
  --allowed-rules paper report collect_present_runs plot_figure write_table check_claims walkthrough
# Of every study that has results, one after another: $(1) is a command on $$config and $$study.
each_study = found=; failed=0; for config in config/*.yaml; do \
	  study=$$(sed -n 's/^study: *//p' $$config); \
	  if [ -n "$$study" ] && [ -d results/$$study/runs ]; then \
	    found=1; export PATH="$(CURDIR)/$(FIGURES_VENV)/bin:$$PATH"; { $(1); } || failed=1; \
	  fi; \
	done; [ -n "$$found" ] || echo "No study has results yet; make demo makes some."; exit $$failed

figures: $(FIGURES_VENV)/installed
	@$(call each_study,echo "Drawing paper_figures/$$study/"; snakemake paper --configfile $$config $(DRAW))

report: $(FIGURES_VENV)/reports
	@$(call each_study,echo "Writing results/$$study/report.html"; rm -f results/$$study/report.html results/$$study/walkthrough.html; \
	  snakemake report --configfile $$config $(DRAW) \
	  && snakemake report --configfile $$config --report results/$$study/report.html)

bench: $(VENV)/runs
	@$(ACTIVATE) python -m benchmarks $(if $(QUICK),--quick)

# Other files each time: the seed repeats them.
.PHONY: fuzz
ifndef SEED
SEED := $(shell date +%s)
endif
fuzz: $(VENV)/develops
	@echo "make fuzz SEED=$(SEED) does the same again."
	@$(ACTIVATE) python -m pytest -s tests/whole/test_fuzz_settings.py tests/whole/test_fuzz_data.py \
	  --hypothesis-profile fuzz --hypothesis-seed $(SEED)

lint: $(VENV)/develops
	@$(ACTIVATE) ruff check $(PYTHON_SOURCES)
	@$(ACTIVATE) ruff format --check $(PYTHON_SOURCES)
	@$(ACTIVATE) snakefmt --check $(SOURCES)

clean:
	rm -rf results/demo paper_figures/demo .snakemake .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./.venv*" -prune -exec rm -rf {} +

# Stamps: what draws figures, what runs, and the development tools on top of that.
$(FIGURES_VENV)/installed: envs/figures.txt
	@$(CHECK_PYTHON)
	@echo "Installing envs/figures.txt into $(FIGURES_VENV) ..."
	@$(PYTHON) -m venv $(FIGURES_VENV)
	@$(FIGURES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/figures.txt
	@touch $@

$(FIGURES_VENV)/reports: envs/report.txt $(FIGURES_VENV)/installed
	@echo "Installing envs/report.txt into $(FIGURES_VENV) ..."
	@$(FIGURES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/report.txt
	@touch $@

$(VENV)/runs: envs/requirements.txt
	@$(CHECK_PYTHON)
	@echo "Installing envs/requirements.txt into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.txt
	@touch $@

$(VENV)/develops: envs/dev.txt envs/archive.txt envs/extras.txt envs/report.txt $(VENV)/runs
	@echo "Installing envs/dev.txt into $(VENV) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/dev.txt
	@touch $@

# One file to deposit, of a commit.
archive: $(FIGURES_VENV)/archives
	@$(FIGURES_VENV)/bin/python workflow/release/make_archive.py dist

$(FIGURES_VENV)/archives: envs/archive.txt $(FIGURES_VENV)/installed
	@echo "Installing envs/archive.txt into $(FIGURES_VENV) ..."
	@$(FIGURES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/archive.txt
	@touch $@

# DVC, on top of what runs.
.PHONY: dvc
dvc: $(VENV)/versions
	@$(ACTIVATE) dvc repro

$(VENV)/versions: envs/dvc.txt $(VENV)/runs
	@echo "Installing envs/dvc.txt into $(VENV) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/dvc.txt
	@touch $@

$(VENV)/integrates: envs/dvc.txt envs/slurm.txt $(VENV)/develops
	@echo "Installing envs/dvc.txt and envs/slurm.txt into $(VENV) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/dvc.txt --requirement envs/slurm.txt
	@touch $@
