# These are the commands of a checkout; `make help` lists them. Packages are installed into .venv alone, or into .venv-figures if
# a command only draws figures, which takes far fewer packages.
PYTHON ?= python3
VENV := .venv
FIGURES_VENV := .venv-figures
# The Python of the environment $(1), which the processes that it starts find, too. It has its path, because the name alone would
# fall through to another Python if this one is missing.
in_venv = PATH="$(CURDIR)/$(1)/bin:$$PATH" "$(CURDIR)/$(1)/bin/python"
IN_VENV := $(call in_venv,$(VENV))
# What another program, such as a module system, put into the environment must not change these environments. A setting of pip
# that installs elsewhere would leave them empty.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PIP_TARGET PIP_PREFIX PIP_ROOT
export PIP_USER := 0
# Otherwise each process would compile all modules that it imports.
unexport PYTHONDONTWRITEBYTECODE
# Text is UTF-8 in every locale.
export PYTHONUTF8 := 1
# Programs are called as modules, because the scripts in an environment name the folder in which it was made, and a checkout may
# be moved.
SNAKEMAKE := $(call in_venv,$(FIGURES_VENV)) -m snakemake
CHECK_PYTHON := $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" \
  || { echo "error: PYTHON: $(PYTHON) is not allowed: Python 3.11 or newer is needed (make PYTHON=...)" >&2; exit 2; }
SOURCES := Snakefile workflow/rules/*.smk
PYTHON_SOURCES := anytime_pruning workflow tests benchmarks

# Several targets share an environment, and two pips at once would damage it. What takes long uses all cores by itself.
.NOTPARALLEL:

.PHONY: FORCE install demo test figures report docs dvc bench bench-inference zoo gpu-kit image archive integration lock lint fuzz compare versions mutants clean help

help:
	@echo "make install   install what trains and draws into .venv, and say whether torch sees a GPU"
	@echo "make demo      train the demonstration and draw its figures (minutes, no GPU)"
	@echo "make test      run the tests"
	@echo "make versions  run tests with other versions of all packages (30 minutes): RESOLUTION=lowest-direct, highest or locked"
	@echo "make figures   draw the figures of every study that has results, unless they are current; nothing is trained"
	@echo "make report    do what make figures does, and write a page for each study: results/<study>/report.html"
	@echo "make docs      build the documentation: site/index.html, which needs no network"
	@echo "make dvc       install DVC and call dvc repro, which does what make demo does and versions the results"
	@echo "make bench     measure the speed of this machine (20 to 40 minutes; fewer networks with make bench QUICK=1)"
	@echo "make bench-inference  measure the latency of trained networks (2 minutes; RUNS='FOLDER FOLDER' names runs, otherwise the study starts)"
	@echo "make zoo       try 44 networks of timm and torchvision (15 minutes), and write benchmarks/results/zoo.md"
	@echo "make gpu-kit   gather wheels and data for a GPU machine without a network (2 minutes): gpu-kit/; see benchmarks/gpu_day"
	@echo "make image     build the container image, envs/anytime-pruning.sif (for CPUs: make image REQUIREMENTS=envs/requirements.txt)"
	@echo "make archive   write a checksummed archive of this commit into dist/"
	@echo "make integration  test the container, DVC, Slurm and the archive with the tools of this machine (20 minutes)"
	@echo "make lock      write uv.lock and all lists in envs/ after an edit of pyproject.toml (needs a package index)"
	@echo "make compare   train the golden run at commits A and B, and print the first step where they differ (make compare A=HEAD~5 B=HEAD)"
	@echo "make fuzz      test 10,000 hostile configuration files of each kind, and as many damaged archives and images (13 minutes)"
	@echo "make mutants   change the code in one place at a time, and see whether the tests notice (15 minutes; ROOMS='masks metrics' chooses parts)"
	@echo "make lint      check format, style, types, which subpackages import which, and that envs/ agrees with uv.lock"
	@echo "make clean     remove the demonstration's results and figures, and caches"

install: $(VENV)/runs
	@$(IN_VENV) -c "import torch; gpus = torch.cuda.device_count(); \
	  print(f'torch {torch.__version__} is in .venv and sees', f'{gpus} GPUs.' if gpus else 'no GPU.')"

demo: $(VENV)/runs
	@$(IN_VENV) -m snakemake --cores all
	@echo "The figures and the results table are in paper_figures/demo/, the numbers behind them in results/demo/."

# Some workers at once. The tests of one module share what they make, so that one worker takes them all; the longest begin first.
WORKERS ?= -n auto --dist loadscope --no-loadscope-reorder

test: $(VENV)/develops
	@$(IN_VENV) -m pytest $(WORKERS)

# Other versions than those of uv.lock: the lowest or the highest that pyproject.toml allows, or the locked ones on another Python.
# The tests reach every package that the project imports. Tests of uv.lock, of the documentation and of real tools are left out,
# because they do not depend on these versions or are about the locked ones. As in the lists of envs/, pip adds what its build of
# torch needs for GPUs.
RESOLUTION ?= lowest-direct
TESTS ?= $(addprefix tests/,settings foundation datasets stream pruning models results figures runs training export verification) \
  tests/orchestration/test_workflow.py tests/whole/test_golden.py
TRIED = .venv-versions/$(notdir $(PYTHON))-$(RESOLUTION)

versions:
	@case "$(RESOLUTION)" in lowest-direct|highest|locked) ;; *) echo "error: RESOLUTION: $(RESOLUTION) is not allowed;" \
	  "allowed: lowest-direct, highest, locked" >&2; exit 2 ;; esac
	@$(call NEW_VENV,$(TRIED))
	@echo "Installing the $(RESOLUTION) versions for $(PYTHON) into $(TRIED) ..."
	@$(TRIED)/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' envs/dev.txt)"
	@if [ "$(RESOLUTION)" = locked ]; then cat envs/dev.txt; else \
	  $(TRIED)/bin/python -m uv pip compile --quiet --no-config --no-header --no-annotate --resolution $(RESOLUTION) \
	    --python $(TRIED)/bin/python --extra dev pyproject.toml; fi >$(TRIED)/resolved.txt
	@grep -vE '^(nvidia-|cuda-|triton=)' $(TRIED)/resolved.txt >$(TRIED)/packages.txt
	@$(TRIED)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(TRIED)/packages.txt
	@$(call in_venv,$(TRIED)) -m pytest $(WORKERS) $(TESTS)

# This list names the packages of the image. The lock installs torch for NVIDIA GPUs; with envs/requirements.txt, pip may take a
# CPU build.
REQUIREMENTS ?= envs/requirements.lock

image:
	@envs/build-image.sh $(REQUIREMENTS) envs/anytime-pruning.sif

# Tests whose tools are not installed are skipped, and the last lines name them.
integration: $(VENV)/integrates
	@$(IN_VENV) -m pytest $(WORKERS) -m integration -rs tests/integration

# uv changes only the versions that pyproject.toml no longer allows. It reads no configuration of this machine, so that uv.lock
# names the public index and no mirror.
lock: $(VENV)/develops
	@$(IN_VENV) -m uv lock --no-config
	@$(IN_VENV) workflow/release/export_versions.py

# Only the rules that draw are allowed, so nothing is trained. If runs of a figure are missing, a file in its place names them,
# the other figures are drawn, and the command fails.
DRAW := --cores all --keep-going \
  --allowed-rules paper report collect_present_runs plot_figure write_table check_claims walkthrough write_report
# Run the command $(1), which uses $$config and $$study, for every study that has results. The package knows these studies, because
# YAML has many ways to write a name. Files that it cannot read are named, and the other studies are drawn.
STUDIES := $(FIGURES_VENV)/studies.txt
each_study = failed=0; \
	$(call in_venv,$(FIGURES_VENV)) -m anytime_pruning studies >$(STUDIES) || failed=$$?; \
	while read -r study config <&3; do { $(1); } || failed=$$?; done 3<$(STUDIES); \
	[ -s $(STUDIES) ] || echo "No study has results yet; make demo makes some."; exit $$failed

figures: $(FIGURES_VENV)/installed
	@$(call each_study,echo "Drawing paper_figures/$$study/"; $(SNAKEMAKE) paper --configfile "$$config" $(DRAW))

report: $(FIGURES_VENV)/reports
	@$(call each_study,echo "Writing results/$$study/report.html"; $(SNAKEMAKE) report --configfile "$$config" $(DRAW))

# A link or an anchor that leads nowhere is an error.
docs: $(FIGURES_VENV)/documents
	@NO_MKDOCS_2_WARNING=1 $(FIGURES_VENV)/bin/python -m mkdocs build
	@echo "The documentation is in site/index.html."

bench: $(VENV)/develops
	@$(IN_VENV) -m benchmarks $(if $(QUICK),--quick)

RUNS ?=
bench-inference: $(VENV)/develops
	@$(IN_VENV) -m benchmarks.inference $(RUNS)

# An interrupted call is continued by make zoo RESUME=1.
zoo: $(VENV)/tries
	@$(IN_VENV) -m benchmarks.zoo $(if $(RESUME),--resume)

# The pieces are for a machine with Python KIT_PYTHON and torch alone, whose hour on a GPU `python -m benchmarks.gpu_day` spends.
DATA ?= data
KIT_PYTHON ?= 3.12
gpu-kit: $(VENV)/runs
	@$(IN_VENV) -m benchmarks.gpu_kit --data "$(DATA)" --out gpu-kit --python $(KIT_PYTHON)

# Every call tries other files, except that a given SEED repeats an earlier call.
ifndef SEED
SEED := $(shell date +%s)
endif
fuzz: $(VENV)/develops
	@echo "make fuzz SEED=$(SEED) repeats this call."
	@$(IN_VENV) -m pytest -s tests/whole/test_fuzz_settings.py tests/whole/test_fuzz_data.py \
	  --hypothesis-profile fuzz --hypothesis-seed $(SEED)

# Without B, A is compared with the files of the checkout as they are.
A ?= HEAD
B ?=
compare: $(VENV)/runs
	@$(IN_VENV) workflow/release/compare_commits.py $(A) $(B)

# A list of ROOMS tries only these parts of the method.
ROOMS ?=
mutants: $(VENV)/mutates
	@$(IN_VENV) -m benchmarks.mutants $(if $(ROOMS),--rooms $(ROOMS))

lint: $(VENV)/develops
	@$(IN_VENV) -m ruff check $(PYTHON_SOURCES)
	@$(IN_VENV) -m ruff format --check $(PYTHON_SOURCES)
	@$(IN_VENV) -m snakefmt --check $(SOURCES)
	@$(IN_VENV) -m mypy
	@$(IN_VENV) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	@$(IN_VENV) -m uv lock --check --offline --no-config --quiet
	@$(IN_VENV) workflow/release/export_versions.py --check

clean:
	rm -rf results/demo paper_figures/demo .snakemake .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path "./.venv*" -prune -exec rm -rf {} +

# The archive is a single file to deposit, and holds the files of a commit.
archive: $(FIGURES_VENV)/archives
	@$(FIGURES_VENV)/bin/python workflow/release/make_archive.py dist

dvc: $(VENV)/versions
	@$(IN_VENV) -m dvc repro

# The version of the Python $(1), such as 3.12, or nothing if it does not run or the condition $(2) does not hold. A function of
# make sees the variables that recipes do not, so Python ignores them (-I).
version_of = $(shell $(1) -I -c "import os, sys; version = '%d.%d' % sys.version_info[:2]; print(version * bool($(2)))" 2>/dev/null)
# The version that an environment must have: any, unless a PYTHON is given.
NEEDED := $(if $(filter file,$(origin PYTHON)),%,$(call version_of,$(PYTHON),True))
# After an upgrade of the system, the Python of an environment may be a newer one, which has none of its packages.
is_usable = $(filter $(NEEDED),$(call version_of,$(1)/bin/python,sys.prefix != sys.base_prefix \
	and os.path.isdir(f'$(1)/lib/python{version}/site-packages')))
# An environment that is not usable is made anew, whatever its files say.
unless_usable = $(if $(call is_usable,$(1)),,FORCE)
FORCE:

# The pip of a new environment is as old as its Python, and an old one takes more than twice as long to choose from an index.
# Without a newer one at hand, it does the work itself.
NEW_VENV = $(CHECK_PYTHON); $(PYTHON) -m venv --clear $(1) \
	&& { $(1)/bin/python -m pip install --quiet --disable-pip-version-check "pip>=26" >/dev/null 2>&1 || true; }
# A usable environment stays as it is, because another version over it would leave a mixture of both.
MAKE_VENV = $(if $(call is_usable,$(1)),$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(1)/bin/python -m ensurepip,$(NEW_VENV))
# Each of these files marks that a list of packages is installed. The lists are exported from uv.lock. pip would compile all
# modules on one core; Python compiles those that are used, fewer than half, when they are first imported.
INSTALL = echo "Installing $(1) into $(2) ..."; \
	$(2)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile $(foreach list,$(1),--requirement $(list)) \
	&& touch $@

$(VENV)/runs: envs/requirements.txt $(call unless_usable,$(VENV))
	@$(call MAKE_VENV,$(VENV))
	@$(call INSTALL,envs/requirements.txt,$(VENV))

$(VENV)/develops: envs/dev.txt $(VENV)/runs
	@$(call INSTALL,envs/dev.txt,$(VENV))

$(VENV)/versions: envs/dvc.txt $(VENV)/runs
	@$(call INSTALL,envs/dvc.txt,$(VENV))

$(VENV)/tries: envs/zoo.txt $(VENV)/develops
	@$(call INSTALL,envs/zoo.txt,$(VENV))

$(VENV)/mutates: envs/mutants.txt $(VENV)/develops
	@$(call INSTALL,envs/mutants.txt,$(VENV))

$(VENV)/integrates: envs/integration.txt $(VENV)/develops
	@$(call INSTALL,envs/integration.txt,$(VENV))

$(FIGURES_VENV)/installed: envs/figures.txt $(call unless_usable,$(FIGURES_VENV))
	@$(call MAKE_VENV,$(FIGURES_VENV))
	@$(call INSTALL,envs/figures.txt,$(FIGURES_VENV))

$(FIGURES_VENV)/reports: envs/report.txt $(FIGURES_VENV)/installed
	@$(call INSTALL,envs/report.txt,$(FIGURES_VENV))

$(FIGURES_VENV)/documents: envs/docs.txt $(FIGURES_VENV)/installed
	@$(call INSTALL,envs/docs.txt,$(FIGURES_VENV))

$(FIGURES_VENV)/archives: envs/archive.txt $(FIGURES_VENV)/installed
	@$(call INSTALL,envs/archive.txt,$(FIGURES_VENV))
