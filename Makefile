# Everything happens in .venv, which the first target makes: `make PYTHON=python3.13 demo` takes
# another Python for it (after `make clean`).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
KERNELS ?= 6.1 6.12
VM_SECONDS ?= 300
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 0
# What `make test` does less often than one would like, as often as one would like.
LONG := PAGEMAP_EXITS=1000 PAGEMAP_SAMPLES=100000 PAGEMAP_EARLY_STOPS=10000 PAGEMAP_HANDLER=30 \
	PAGEMAP_FLIPS=2000 PAGEMAP_EXAMPLES=1000 PAGEMAP_MOMENTS=100 PAGEMAP_INJECTIONS=1000 \
	PAGEMAP_ROUNDS=10000 PAGEMAP_KNOWN_MIB=8192 PAGEMAP_CACHE_FILES=2000 \
	PAGEMAP_ENDING=64 PAGEMAP_CACHED_FRAMES=200 PAGEMAP_ZOO_WAYS=12 PAGEMAP_CALLS=2000 \
	PAGEMAP_GUEST_ROUNDS=10000 PAGEMAP_STARTS=1 PAGEMAP_GROUPED=300 PAGEMAP_BREADTH=1 PAGEMAP_ELSEWHERE=1 \
	PAGEMAP_SIGNALS=60 PAGEMAP_ABIDIFF=1

# Where `make install` puts the C library, below DESTDIR.
DESTDIR ?=
PREFIX ?= /usr/local

GCC ?= gcc
CROSS ?= $(shell command -v aarch64-linux-gnu-gcc)
CLANG ?= $(shell for name in clang clang-19 clang-16 clang-14; do command -v $$name && break; done)

# Where the wheel is installed to be tested, and by which Python: others than us must reach both.
INSTALLED ?= build/installed
SHARED_PYTHON ?= $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))
# What make test has tried at random already, and at length, is tried less often there.
SHORT := PAGEMAP_EXITS=40 PAGEMAP_SAMPLES=200

BUILD_INPUTS := pyproject.toml setup.py pagemap/_version.py $(wildcard csrc/*/*.[ch] csrc/*/*.py csrc/*/*.map)
PACKAGE_FILES := README.md LICENSE $(shell find pagemap -name '*.py' -o -name '*.pyi' -o -name py.typed)
PYTHON_SOURCES := pagemap tests benchmarks examples csrc setup.py
C_SOURCES := $(filter-out csrc/binding/%,$(wildcard csrc/*/*.c))
HEADERS := $(patsubst csrc/%,%,$(wildcard csrc/*/*.h))
TEST_C_SOURCES := $(wildcard tests/*.c tests/*/*.c benchmarks/*.c)
C_FILES := $(wildcard csrc/*/*.[ch]) $(wildcard tests/*.[ch] tests/*/*.[ch] benchmarks/*.[ch])

# The C library: what csrc/library/ needs, and so no zlib.
LIBRARY_SOURCES := $(wildcard csrc/kernel/*.c csrc/walk/*.c csrc/analyses/tally*.c csrc/analyses/sample*.c \
	csrc/history/writes*.c csrc/library/*.c)
LIBRARY_INPUTS := $(LIBRARY_SOURCES) $(wildcard csrc/*/*.h) csrc/library/pagemap.map \
	csrc/library/pagemap.pc.in csrc/library/man.py
LIBRARY_FLAGS = -std=gnu11 -D_FILE_OFFSET_BITS=64 -Icsrc -O2 $(CFLAGS) -fPIC -ffunction-sections
macro = $(shell sed -n 's/^\#define $(1) //p' csrc/include/pagemap.h)
ABI := $(call macro,PM_ABI)
VERSION := $(call macro,PM_VERSION_MAJOR).$(call macro,PM_VERSION_MINOR).$(call macro,PM_VERSION_PATCH)
SHARED := libpagemap.so.$(ABI)

C_FLAGS := -std=gnu11 -D_FILE_OFFSET_BITS=64 -Icsrc -Icsrc/include
C_WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Werror
CXX_FLAGS := $(subst gnu11,gnu++11,$(C_FLAGS)) $(filter-out -Wmissing-prototypes,$(C_WARNINGS))

# Runs a command for each of the lines, on all processors; fails when one of them failed.
EACH = xargs -P "$$(nproc)"

# pip compiles what it installs, but not what stays in the source tree: where writing bytecode is
# turned off, each start of the command would compile it anew.
COMPILE = $(BIN)/python -m compileall -q pagemap

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL: # pip cannot install twice at once into one environment
.PHONY: help demo test test-long test-vm native fuzz bench lint lint-ruff lint-format lint-mypy lint-pyright lint-public \
	lint-layout lint-tidy lint-compile lint-headers lint-length fix wheel share lib install clean packages \
	environment away test-wheel test-unprivileged test-pythons test-vm-short

help: ## Print this help
	@echo 'usage: make TARGET [ARGS="..."] [PYTHON=python3]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The virtual environment, and the package in it: the stamps are .venv/.run, with what it needs to
# run, and .venv/.test, .venv/.lint, .venv/.vm, .venv/.fuzz and .venv/.dev with the extra of that
# name. The package is editable, so only what is compiled asks for another install.

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo 'make: $(PYTHON) must be Python 3.10 or later; choose one: make PYTHON=python3.X' >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python $(BUILD_INPUTS)
	$(BIN)/python -m pip install --quiet --editable .
	@$(COMPILE)
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.vm $(VENV)/.fuzz $(VENV)/.dev: $(VENV)/.%: $(VENV)/.python $(BUILD_INPUTS)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@$(COMPILE)
	@touch $@

# All extras at once, for who runs all: the C core is compiled once, and not for each of them. Of
# Atheris and virtme-ng there is none for some machines, and the tests that need them say so.
environment: $(VENV)/.python ## Install all that the other targets need into .venv
	@for extras in dev,fuzz,vm dev,vm dev,fuzz dev; do \
		echo "pip install --editable .[$$extras]"; \
		$(BIN)/python -m pip install --quiet --editable ".[$$extras]" || continue; \
		$(COMPILE); \
		for extra in run test lint $$(echo "$$extras" | tr , ' '); do touch "$(VENV)/.$$extra"; done; \
		exit 0; \
	done; exit 1

packages: ## As root on Debian: install the programs that the tests and lint need
	tests/steps/packages.sh --vm

# The target of the demonstration is a Python that holds 32 MiB: it is alive, it belongs to the caller,
# and it is gone at the end. Exit code 77 is what an ordinary user gets where he asks for frames.
demo: $(VENV)/.run ## See what takes the memory of a live process, and its page table
	@set -eu; folder=$$(mktemp -d); rows=$$folder/rows; \
	$(BIN)/python -c 'import sys, time; held = b"x" * (32 << 20); open(sys.argv[1], "x"); time.sleep(600)' \
		"$$folder/ready" & pid=$$!; trap 'kill $$pid; rm -r "$$folder"' EXIT; \
	until [ -e "$$folder/ready" ]; do kill -0 $$pid; sleep 0.1; done; \
	show() { echo; echo "\$$ $$*"; shift; $(BIN)/pagemap "$$@" || test $$? -eq 77; }; \
	echo "The target is process $$pid: a Python that holds 32 MiB."; \
	show pagemap footprint $$pid --columns pid,rss,pss,uss,anon,file,name; \
	show pagemap footprint $$pid --by path --columns rss,pss,uss,path --top 5; \
	show pagemap maps $$pid --columns start,size,rss,huge,perms,path --sort rss --top 5; \
	echo; echo "\$$ pagemap dump $$pid | head -n 5"; \
	$(BIN)/pagemap dump $$pid -o "$$rows"; head -n 5 "$$rows"; \
	echo "rows: $$(($$(wc -l < "$$rows") - 1)), one for each page of each mapping"; \
	address=0x$$(awk '$$6 == 1 { print $$1; exit }' "$$rows"); \
	show pagemap virt-to-phys $$pid $$address

# Three runs at once, of about one length: two keep two processors busy, one works while they wait.
LIVE := tests/live
COMPUTING := tests/native tests/fuzz tests/property tests/leaks tests/attacks
OTHERS := $(filter-out $(LIVE) $(COMPUTING),$(patsubst %/__init__.py,%,$(wildcard tests/*/__init__.py)))
AT_ONCE := -m tests.steps.at_once

test: $(VENV)/.test ## Run the whole test suite, as three runs at once (ARGS="-k maps": one run)
	$(BIN)/python $(if $(ARGS),-m pytest $(ARGS),$(AT_ONCE) -- $(LIVE) -- $(COMPUTING) -- $(OTHERS))

test-long: $(VENV)/.test $(VENV)/.fuzz ## Run it with every proof at its full length: some hours
	$(LONG) FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest $(ARGS)

# What a wheel could lack or spoil: a module, a file, a symbol, the command. tests/native and
# tests/fuzz compile csrc/ for themselves; what holds for every word that can be drawn, for every
# kind of memory, at random moments, after thousands of calls and against strangers, does not depend
# on how it was installed, and is shown by `make test`.
WHEEL_TESTS := --ignore=tests/live/test_matrix.py --ignore=tests/live/test_zoo.py \
	--ignore=tests/live/test_saved_zoo.py --ignore=tests/live/test_diff_histories.py \
	--ignore=tests/live/test_diff_kinds.py --ignore-glob='*/test_injection*.py' \
	--ignore-glob='*_exits*.py' --ignore-glob='*_race.py' -- tests/live -- tests/cli tests/contract tests/unit
# Where rights make a difference.
RIGHTS_TESTS := -- tests/live -- tests/cli tests/unit
FOLDER = $(abspath $(INSTALLED))
INSTALLED_PYTHON = $(FOLDER)/venv/bin/python
OF_THE_WHEEL = PAGEMAP_SOURCE=$(FOLDER)/source PAGEMAP_WHEEL=$$(echo $(FOLDER)/wheel/*.whl) $(SHORT)

$(INSTALLED)/.ready: dist/.wheel
	tests/steps/install.sh $(FOLDER) $(SHARED_PYTHON) dist/*-manylinux_*.whl
	@touch $@

away: $(INSTALLED)/.ready
	@tests/steps/away.sh $(FOLDER)

test-wheel: away ## Run the tests of what a wheel could lack, on the installed wheel
	cd $(FOLDER)/away && $(OF_THE_WHEEL) $(INSTALLED_PYTHON) \
		$(if $(ARGS),-m pytest $(ARGS),$(AT_ONCE) $(WHEEL_TESTS))

test-unprivileged: away ## As root: run the tests as a user without rights
	$(OF_THE_WHEEL) tests/steps/unprivileged.sh $(FOLDER)/away $(INSTALLED_PYTHON) \
		$(if $(ARGS),-m pytest $(ARGS),$(AT_ONCE) $(RIGHTS_TESTS))

test-pythons: away ## Try the wheel under each other Python that is here
	tests/steps/pythons.sh $(FOLDER)

test-vm-short: $(VENV)/.test ## Run a chosen part of test-vm, for 300 seconds (VM_SECONDS=600)
	-$(MAKE) $(VENV)/.vm
	$(BIN)/python -m tests.vm --within $(VM_SECONDS) $(KERNELS)

test-vm: $(VENV)/.test $(VENV)/.vm ## Run the live tests under other kernels (KERNELS="6.1 6.12")
	$(BIN)/python -m tests.vm $(KERNELS) -- $(ARGS)

native: $(VENV)/.test ## Run the C core under sanitizers, against a kernel that lies
	$(BIN)/python -m pytest tests/native $(ARGS)

fuzz: $(VENV)/.test $(VENV)/.fuzz ## Fuzz the C core, and what reads text and files (FUZZ_SECONDS=60 each)
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) \
		$(BIN)/python -m pytest -rA tests/fuzz $(ARGS)

bench: $(VENV)/.test ## Time the library and the command against their rivals
	$(BIN)/python -m pytest benchmarks $(ARGS)

# Every part speaks, also after another has failed: those of Python, each of which keeps one
# processor busy, beside those of C, and what they print stands last.
LINT_PYTHON := lint-ruff lint-format lint-mypy lint-pyright lint-public lint-length
LINT_C := lint-layout lint-tidy lint-compile lint-headers

lint: $(VENV)/.lint ## Check style, types and C warnings
	@said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
	$(MAKE) --no-print-directory --keep-going $(LINT_PYTHON) >"$$said" 2>&1 & \
	$(MAKE) --no-print-directory --keep-going $(LINT_C); status=$$?; \
	wait $$! || status=$$?; cat "$$said"; exit $$status

lint-length:
	@find $(PYTHON_SOURCES) -name '*.py' -o -name '*.pyi' -o -name '*.[ch]' | xargs wc -l | awk ' \
		$$2 == "total" || $$1 <= 250 || $$2 ~ "/pagemap.*[.]h$$" { next } \
		$$1 > 400 { print $$2 ": " $$1 " lines, the limit is 400"; bad = 1; next } \
		{ print $$2 ": " $$1 " lines; past 250 it wants to be two files" } \
		END { exit bad }' >&2

lint-ruff: $(VENV)/.lint
	$(BIN)/ruff check $(PYTHON_SOURCES)

lint-format: $(VENV)/.lint
	$(BIN)/ruff format --check $(PYTHON_SOURCES)

lint-layout: $(VENV)/.lint
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)

lint-mypy: $(VENV)/.lint
	$(BIN)/mypy

lint-pyright: $(VENV)/.lint
	$(BIN)/basedpyright

# What an installed package shows to type checkers: the public names alone, each of known type.
lint-public: $(VENV)/.lint
	$(BIN)/python -m tests.steps.public_types

lint-tidy: $(VENV)/.lint
	printf '%s\n' $(C_SOURCES) | $(EACH) -n 3 sh -c \
		'$(BIN)/clang-tidy --quiet "$$@" -- $(C_FLAGS)' clang-tidy

# -O2, because some warnings come from the optimiser's knowledge. For another processor too, where
# its compiler is: of this machine's headers that one needs those of zlib.
lint-compile:
	@test -n '$(CLANG)' || { \
		echo 'make: lint compiles with clang too, which is missing (Debian: apt install clang)' >&2; \
		exit 1; }
	@echo "warnings: $(C_WARNINGS)"; \
	for compiler in $(GCC) $(CLANG); do \
		echo "$$compiler $(C_SOURCES) $(TEST_C_SOURCES)"; \
		printf '%s\n' $(C_SOURCES) $(TEST_C_SOURCES) | $(EACH) -n 1 \
			$$compiler $(C_FLAGS) $(C_WARNINGS) -O2 -c -o /dev/null || exit 1; \
	done
	@$(if $(CROSS),echo $(CROSS); printf '%s\n' $(C_SOURCES) | $(EACH) -n 8 \
		$(CROSS) $(C_FLAGS) $(C_WARNINGS) -idirafter /usr/include -fsyntax-only)

# Each header alone, in C and, by each compiler that knows it, in C++: it includes what it needs.
lint-headers:
	@for compiler in $(GCC) $(CLANG); do \
		for header in $(HEADERS); do \
			echo "#include \"$$header\"" | \
				$$compiler $(C_FLAGS) $(C_WARNINGS) -x c -fsyntax-only - || exit 1; \
			! $$compiler -x c++ -fsyntax-only /dev/null 2>/dev/null || \
			echo "#include \"$$header\"" | \
				$$compiler $(CXX_FLAGS) -x c++ -fsyntax-only - || exit 1; \
		done; \
	done

fix: $(VENV)/.lint ## Rewrite the sources as lint wants them, where that can be done
	$(BIN)/clang-format -i $(C_FILES)
	$(BIN)/ruff format $(PYTHON_SOURCES)
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)

dist/.wheel: $(BUILD_INPUTS) $(PACKAGE_FILES) tests/steps/wheels.sh | $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --no-isolation --sdist
	tests/steps/wheels.sh dist/*.tar.gz dist $(BIN)/python
	@touch $@

wheel: dist/.wheel ## Build the sdist, and the wheels from it for glibc and musl, into dist/

# One object for each source, by the names of its folder and its own. Those of the archive keep what
# is ours to themselves also in a shared object that they are linked into.
build/lib/.ready: $(LIBRARY_INPUTS) Makefile
	@CC='$(CC)' CFLAGS='$(CFLAGS)' $(PYTHON) csrc/binding/needed.py library
	rm -rf build/lib
	mkdir -p build/lib/archived build/lib/shared
	printf '%s\n' $(LIBRARY_SOURCES) | $(EACH) -n 1 sh -c ' \
		name=$$(basename "$$(dirname "$$1")")-$$(basename "$$1" .c).o; \
		$(CC) $(LIBRARY_FLAGS) -fvisibility=hidden -c -o "build/lib/archived/$$name" "$$1" && \
		$(CC) $(LIBRARY_FLAGS) -c -o "build/lib/shared/$$name" "$$1"' compile
	$(AR) qcs build/lib/libpagemap.a build/lib/archived/*.o
	$(CC) -shared -pthread $(LDFLAGS) -Wl,-soname,$(SHARED) -Wl,--gc-sections -Wl,-z,defs \
		-Wl,-Bsymbolic-functions -Wl,--version-script,csrc/library/pagemap.map \
		-o build/lib/$(SHARED) build/lib/shared/*.o
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' csrc/library/pagemap.pc.in >build/lib/pagemap.pc
	$(PYTHON) csrc/library/man.py >build/lib/pagemap.3
	@touch $@

lib: build/lib/.ready ## Build the C library, static and shared, into build/lib/

install: build/lib/.ready ## Install the C library (DESTDIR= PREFIX=/usr/local)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,include lib/pkgconfig share/man/man3)
	install -m 644 csrc/include/pagemap.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 build/lib/libpagemap.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 build/lib/$(SHARED) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(SHARED) $(DESTDIR)$(PREFIX)/lib/libpagemap.so
	sed 's|^prefix=.*|prefix=$(PREFIX)|' build/lib/pagemap.pc \
		>$(DESTDIR)$(PREFIX)/lib/pkgconfig/pagemap.pc
	install -m 644 build/lib/pagemap.3 $(DESTDIR)$(PREFIX)/share/man/man3/
	@test -n '$(DESTDIR)' || echo 'Run ldconfig as root now, or programs do not find $(SHARED);' \
		'with a PREFIX where it does not look, start them with LD_LIBRARY_PATH=$(PREFIX)/lib'

share: $(VENV)/.dev ## Write the man page and the shell completions to build/share
	$(BIN)/python setup.py --quiet share

clean: ## Remove everything that make has made
	rm -rf $(VENV) build dist .benchmarks .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf *.egg-info pagemap/*.so pagemap/include pagemap/lib pagemap/pagemap.pxd
	find $(PYTHON_SOURCES) -name __pycache__ -prune -exec rm -rf {} +
