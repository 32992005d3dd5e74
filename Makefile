# make demo | test | figures | bench | lint | clean. Everything is installed into .venv, nothing elsewhere.
PYTHON ?= python3
VENV := .venv
ACTIVATE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
SOURCES := Snakefile workflow/rules/*.smk
PYTHON_SOURCES := anytime_pruning workflow tests benchmarks

.PHONY: demo test figures bench lint clean help

help:
	@echo "make demo      train the demonstration and draw its figures (minutes, no GPU)"
	@echo "make test      run the tests"
	@echo "make figures   draw the figures again of every study that has results; trains nothing"
	@echo "make bench     measure the speed of this machine (15 minutes; make bench QUICK=1: 3)"
	@echo "make lint      check format and style"
	@echo "make clean     remove the demonstration's results and figures, and caches"

demo: $(VENV)/runs
	@$(ACTIVATE) snakemake --cores all
	@echo "The figures and the results table are in paper_figures/demo/, the numbers behind them in results/demo/."

test: $(VENV)/develops
	@$(ACTIVATE) python -m pytest

# Only the rules that draw are allowed: a run that is missing is an error that names it, never trained.
figures: $(VENV)/runs
	@found=; for config in config/*.yaml; do \
	  study=$$(sed -n 's/^study: *//p' $$config); \
	  if [ -d results/$$study/runs ]; then \
	    found=1; echo "Drawing paper_figures/$$study/"; \
	    $(ACTIVATE) snakemake paper --cores all --configfile $$config --forcerun collect_runs \
	      --allowed-rules paper collect_runs plot_figure tabulate_results || exit $$?; \
	  fi; \
	done; [ -n "$$found" ] || echo "No study has results yet; make demo makes some."

bench: $(VENV)/runs
	@$(ACTIVATE) python -m benchmarks $(if $(QUICK),--quick)

lint: $(VENV)/develops
	@$(ACTIVATE) ruff check $(PYTHON_SOURCES)
	@$(ACTIVATE) ruff format --check $(PYTHON_SOURCES)
	@$(ACTIVATE) snakefmt --check $(SOURCES)

clean:
	rm -rf results/demo paper_figures/demo .snakemake .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

# Two stamps: what runs, and the development tools on top.
$(VENV)/runs: envs/requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
	  || { echo "error: PYTHON: $(PYTHON) is not allowed: Python 3.11 or newer is needed (make PYTHON=...)" >&2; exit 2; }
	@echo "Installing envs/requirements.txt into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.txt
	@touch $@

$(VENV)/develops: envs/dev.txt $(VENV)/runs
	@echo "Installing envs/dev.txt into $(VENV) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/dev.txt
	@touch $@
