# What a user types. Each target says what it does; the work itself is in palisade/, roles/ and tests/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# Ansible wants UTF-8 whatever the login brought along.
export LC_ALL := C.UTF-8
# The last three are not on the PATH that sudo gives (Go's own place), or su (those of root's programs).
export PATH := $(CURDIR)/.venv/bin:$(HOME)/.local/bin:$(PATH):/usr/local/go/bin:/usr/sbin:/sbin

ENVIRONMENT ?= local
READY := .venv/.ready

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml uv.lock tools/bootstrap
	@tools/bootstrap
	@touch $@

.PHONY: up
up: $(READY) ## Start the local fleet and its cluster, harden, set up Vault, data and stack, verify; ends with the report's path
	@palisade local up
	@ansible-playbook -i inventories/local harden.yml playbooks/vault.yml
	@palisade vault apply local
	@ansible-playbook -i inventories/local playbooks/data.yml
	@palisade secrets apply local
	@palisade bundle build local
	@palisade stack init local
	@palisade stack up local --recover --yes --skip-preview
	@$(MAKE) --no-print-directory example
	@palisade verify local

.PHONY: example
example: $(READY) ## Publish the example API on the local fleet and let the edge know it; palisade local demo asks for it
	@PALISADE_TOKEN=$$(palisade vault token local --person registry-admin); export PALISADE_TOKEN; \
		palisade registry publish local policies/api/examples/finance.yaml; \
		palisade registry export local
	@palisade bundle build local
	@palisade stack up local --yes --skip-preview

.PHONY: down
down: $(READY) ## Remove the local fleet with its cluster and its stack's state, and every trace of them
	@palisade local down --purge

.PHONY: preview
preview: $(READY) ## Show what make up would change in the cluster (ENVIRONMENT=dev for another stack)
	@palisade stack preview $(ENVIRONMENT) --diff

.PHONY: harden
harden: $(READY) ## Harden the running local fleet
	@ansible-playbook -i inventories/local harden.yml

.PHONY: verify
verify: $(READY) ## Verify the running local fleet; ends with the report's path
	@palisade verify local

.PHONY: prove
prove: $(READY) ## Break every control on the local fleet, see its check fail, harden, see it pass; prints the kill rate
	@palisade prove local

.PHONY: tools
tools: $(READY) ## Find the external programs that later commands need, or build the pinned ones
	@palisade tools --all

.PHONY: lint
lint: $(READY) ## ruff, mypy, ansible-lint, yamllint, shellcheck
	@ruff format --check --quiet .
	@ruff check --quiet .
	@mypy
	@yamllint --strict .
	@ANSIBLE_INVENTORY=/dev/null ANSIBLE_INVENTORY_UNPARSED_FAILED=false ansible-lint --offline -q
	@git grep --files-with-matches --extended-regexp '^#!.*\b(ba)?sh$$' -- ':!*.j2' | xargs shellcheck

.PHONY: test-fast
test-fast: lint $(READY) ## Linters, and the quick tests that need no host (three minutes)
	@pytest --quiet --numprocesses=auto -m "not slow" tests/unit tests/stacks tests/policies

.PHONY: test
test: lint $(READY) ## The gate: linters, every test, real hosts, a real cluster, real pulumi (needs root; 45 minutes)
	@tests/e2e/run

.PHONY: test-long
test-long: $(READY) ## What takes longer: every proof, every environment, a node replaced, nodes made by real Karpenter
	@tests/e2e/run -m long

.PHONY: bench
bench: $(READY) ## Measure what docs/performance.md says (an otherwise idle machine, about 35 minutes)
	@python -m benchmarks.fleet

.PHONY: collection
collection: $(READY) ## Build the Ansible collection palisade.fleet
	@ansible-galaxy collection build --force --output-path build
