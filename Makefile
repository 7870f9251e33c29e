# Makefile - builds the kernel, the boot medium and the root disk, and runs and tests them.
#
# Everything that is made lands in build/; with DEBUG=1 the kernel is another, in build/debug, which watches
# its locks (kernel/arch/lockorder.h).  `make help` lists the targets.  The kernel is linked twice: the first
# link tells where each function lies, and the table of their names (for backtraces) is then linked in behind
# the read-only data, where it moves no function; the second link is checked against the first.
# A change of compiler or flags rebuilds what depends on it, through build/flags.

SAY := $(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo)
MAKEFLAGS += -r
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL  := /bin/bash
PYTHON := /usr/bin/python3
U      := build
B      := $(U)$(if $(filter 1,$(DEBUG)),/debug)

# --- the kernel ------------------------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
LD   := ld
NASM := nasm
NM   := nm

CFLAGS := -std=gnu11 -ffreestanding -mno-red-zone -mgeneral-regs-only -mcmodel=kernel -fno-pie \
	-fno-stack-protector -fcf-protection=none -fno-strict-aliasing -fno-common \
	-fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
	$(if $(filter 1,$(DEBUG)),-DDEBUG -fno-optimize-sibling-calls) \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror -O2 -g \
	$(EXTRA_CFLAGS)
CPPFLAGS := -I. -I$(U)/include
NASMFLAGS := -f elf64 -g -F dwarf -Werror
LDFLAGS := -nostdlib -static --build-id=none -z noexecstack -z max-page-size=4096

ONLY_DEBUG := kernel/sched/lockorder.c
KERNEL_C   := $(filter-out $(if $(filter 1,$(DEBUG)),,$(ONLY_DEBUG)), \
	$(sort $(wildcard boot/*.c kernel/*.c kernel/*/*.c mm/*.c)))
KERNEL_ASM := $(sort $(wildcard boot/*.asm kernel/*.asm kernel/*/*.asm))
KERNEL_OBJ := $(KERNEL_ASM:%.asm=$(B)/obj/%.asm.o) $(KERNEL_C:%.c=$(B)/obj/%.o)

KERNEL := $(B)/vitrine.elf
ISO    := $(B)/vitrine.iso
DISK   := $(U)/root.img

.PHONY: all
all: kernel iso disk ## Build the kernel, the boot medium and the root disk
	@:

.PHONY: kernel
kernel: $(KERNEL) ## Build only the kernel, build/vitrine.elf

# What the trace records, as functions; docs/trace.md.
EVENTS := $(U)/include/kernel/trace/events.h
$(EVENTS): kernel/trace/events.toml tools/events tools/vitrine/schema.py
	@mkdir -p $(@D)
	@$(PYTHON) tools/events header >$@

$(KERNEL_OBJ): | $(EVENTS)

# memcpy() must not be compiled into a call of memcpy().
$(B)/obj/kernel/lib/string.o: CFLAGS += -fno-builtin \
	$(shell $(CC) -Werror -fno-tree-loop-distribute-patterns -E -x c /dev/null >/dev/null 2>&1 \
		&& echo -fno-tree-loop-distribute-patterns)

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@$(SAY) "  CC      $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/%.asm.o: %.asm $(B)/flags
	@mkdir -p $(@D)
	@$(SAY) "  NASM    $<"
	@$(NASM) $(NASMFLAGS) -I./ -MD $(@:.o=.d) -MP -MT $@ $< -o $@

$(B)/ksyms0.asm: tools/ksyms
	@mkdir -p $(@D)
	@$(PYTHON) tools/ksyms /dev/null >$@

$(B)/pass1.elf: $(KERNEL_OBJ) $(B)/ksyms0.o linker.ld
	@$(SAY) "  LD      $@"
	@$(LD) $(LDFLAGS) -T linker.ld -o $@ $(KERNEL_OBJ) $(B)/ksyms0.o

$(B)/ksyms1.asm: $(B)/pass1.elf tools/ksyms
	@$(NM) -n $< >$(B)/pass1.nm
	@$(PYTHON) tools/ksyms $(B)/pass1.nm >$@

$(B)/ksyms%.o: $(B)/ksyms%.asm
	@$(NASM) -f elf64 $< -o $@

$(KERNEL): $(KERNEL_OBJ) $(B)/ksyms1.o linker.ld
	@$(SAY) "  LD      $@"
	@$(LD) $(LDFLAGS) -T linker.ld -Map $(B)/vitrine.map -o $@.tmp $(KERNEL_OBJ) $(B)/ksyms1.o
	@$(NM) -n $@.tmp >$(B)/vitrine.nm
	@$(PYTHON) tools/ksyms $(B)/vitrine.nm | cmp -s - $(B)/ksyms1.asm || \
		{ echo "$@: the symbol table moved the text it describes" >&2; exit 1; }
	@mv $@.tmp $@

# Holds the commands that objects are made with; its time changes only when they do.
FLAGS_NOW := $(CC) $(CPPFLAGS) $(CFLAGS) | $(NASM) $(NASMFLAGS) | $(LD) $(LDFLAGS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' >$@

.PHONY: FORCE
FORCE:

# --- the boot medium -------------------------------------------------------------------------------------

# What grub.cfg uses, and the kinds of partition that GRUB's own UEFI start-up asks for.
GRUB_MODULES := normal configfile multiboot2 all_video iso9660 fat search \
	$(addprefix part_,acorn amiga apple bsd dfly dvh gpt msdos plan sun sunpc)

.PHONY: iso
iso: $(ISO) ## Build build/vitrine.iso, which boots under BIOS and UEFI

$(ISO): $(KERNEL) iso/grub.cfg
	@$(SAY) "  ISO     $@"
	@rm -rf $(B)/iso && mkdir -p $(B)/iso/boot/grub
	@cp iso/grub.cfg $(B)/iso/boot/grub/ && strip -g -o $(B)/iso/boot/vitrine.elf $(KERNEL)
	@SOURCE_DATE_EPOCH=1767225600 grub-mkrescue -o $@.tmp --fonts= --locales= --themes= \
		--install-modules="$(GRUB_MODULES)" $(B)/iso -- -volid VITRINE \
		>$(B)/iso.log 2>&1 || { cat $(B)/iso.log >&2; exit 1; }
	@mv $@.tmp $@

# --- user programs and the root disk ---------------------------------------------------------------------

USER_C  := $(sort $(wildcard user/*.c user/*/*.c))
USER_BIN := $(USER_C:%.c=$(U)/%)

.PHONY: user
user: $(USER_BIN) ## Build the programs of user/ for musl, in build/user

# The programs of the labs, and those that students write, are not on the root disk; tools/grade adds one lab's.
LAB_BIN := $(patsubst %.c,$(U)/%,$(sort $(wildcard labs/*/programs/*.c labs/*/*.c)))

# How a program is linked stands in its own source, see tools/ucc.
$(USER_BIN) $(LAB_BIN): $(U)/%: %.c tools/ucc tools/musl-static-pie.specs
	@mkdir -p $(@D)
	@$(SAY) "  UCC     $<"
	@tools/ucc $< $@ $@.d

.PHONY: disk
disk: $(DISK) ## Build the root disk, build/root.img (ext2)

$(DISK): $(USER_BIN) $(U)/disk.list tools/mkroot tools/vitrine/image.py $(shell find tools/rootfs -type f)
	@$(SAY) "  DISK    $@"
	@$(PYTHON) tools/mkroot $@ $(USER_BIN)

# A program that was taken out of user/ must leave the disk too.
$(U)/disk.list: FORCE
	@mkdir -p $(@D)
	@echo '$(USER_BIN)' | cmp -s - $@ || echo '$(USER_BIN)' >$@

# --- running and testing ---------------------------------------------------------------------------------

JOBS ?= $(shell nproc)
TESTS ?= tests

.PHONY: setup
setup: ## Install what building and testing needs (Debian, Ubuntu)
	@tools/setup

.PHONY: run
run: RUN_ARGS ?= --swap 64M
run: ## Boot in this terminal to a shell; poweroff, exit or Ctrl-A X ends it
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@VITRINE_NO_BUILD=1 ./vm boot $(RUN_ARGS)

.PHONY: debug
debug: RUN_ARGS ?= --swap 64M
debug: ## Boot like `make run`, but wait for ./vm gdb in another terminal
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@VITRINE_NO_BUILD=1 ./vm boot --gdb $(RUN_ARGS)

.PHONY: test
test: ## Run every test; TESTS=tests/test_x.py or PYTEST_ARGS='-k name' picks some
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(PYTHON) -m pytest -n $(JOBS) -m "not soak and not labs" $(PYTEST_ARGS) $(TESTS)

.PHONY: soak
soak: ## Run the long tests that `make test` leaves out; SOAK_MINUTES=60, SOAK_SEED
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(PYTHON) -m pytest -s -m soak $(PYTEST_ARGS) $(TESTS)

BOOK  := docs/book/src
PAGES ?= README $(sort $(basename $(notdir $(wildcard $(BOOK)/[0-9]*.md))))

.PHONY: docs-check
docs-check: ## Run what docs/book prints, and compare; PAGES='04-fault 07-cow', UPDATE=1 writes what is printed now
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@VITRINE_NO_BUILD=1 tools/docs-check $(if $(filter 1,$(UPDATE)),--update) $(PAGES:%=$(BOOK)/%.md)

# --- measuring -------------------------------------------------------------------------------------------

.PHONY: bench
bench: ## Measure Vitrine beside Linux; BENCH_ARGS='--no-linux --only fork_0m'
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) kernel disk bench-parts
	@VITRINE_NO_BUILD=1 ./vm bench $(BENCH_ARGS)

.PHONY: bench-parts
bench-parts: $(addprefix $(U)/bench/,vmcount.so floor.elf linux_init)

# The plugin is a part of QEMU, so of the host; linux_init is a program for Linux alone.
$(U)/bench/vmcount.so: bench/vmcount.c
	@mkdir -p $(@D)
	@$(SAY) "  CC      $<"
	@gcc -std=gnu11 -O2 -Wall -Wextra -Wshadow -Werror -shared -fPIC $< -o $@

$(U)/bench/linux_init: bench/linux_init.c tools/ucc
	@mkdir -p $(@D)
	@$(SAY) "  UCC     $<"
	@tools/ucc $< $@ $@.d

$(U)/bench/floor.elf: bench/floor/floor.c bench/floor/entry.asm bench/floor/floor.ld
	@mkdir -p $(@D)
	@$(SAY) "  LD      $@"
	@gcc -std=gnu11 -O2 -ffreestanding -mno-red-zone -mgeneral-regs-only -fno-pie -fno-stack-protector \
		-fcf-protection=none -fno-asynchronous-unwind-tables -Wall -Wextra -Wshadow -Werror \
		-c $< -o $(@D)/floor.o
	@$(NASM) -f elf64 -Werror bench/floor/entry.asm -o $(@D)/entry.o
	@$(LD) -n -nostdlib -static --build-id=none -z noexecstack --no-warn-rwx-segments \
		-T bench/floor/floor.ld -o $@ $(@D)/entry.o $(@D)/floor.o

# --- the course ------------------------------------------------------------------------------------------

.PHONY: handout solution hint grade grade-all picture replay
handout: ## Write a lab as students get it; LAB=cow OUT=folder (docs/labs.md)
	@tools/lab handout "$(LAB)" "$(OUT)"

solution: ## Put a step's solution into a student's tree; LAB=cow STEP=1 IN=folder
	@tools/lab solution "$(LAB)" "$(STEP)" "$(IN)"

hint: ## Print a hint; LAB=cow STEP=2 LEVEL=1
	@tools/lab hint "$(LAB)" "$(STEP)" "$(LEVEL)"

TREE ?= .

.PHONY: test-labs
test-labs: ## Run every test of the labs: solutions, skeletons, wrong solutions, cheats
	@tools/setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(PYTHON) -m pytest -n $(JOBS) $(PYTEST_ARGS) tests/test_lab.py tests/test_labs.py

grade: ## Grade a student's tree; LAB=cow TREE=folder (this one) GRADE_ARGS='--format junit'
	@tools/grade "$(LAB)" --tree "$(TREE)" $(GRADE_ARGS)

grade-all: ## Grade every folder in DIR, JOBS at a time, and make a table; LAB=cow DIR=submissions
	@tools/grade "$(LAB)" --all "$(DIR)" --jobs "$(JOBS)" $(GRADE_ARGS)

picture: ## Draw a lab's picture of a tree; LAB=cow TREE=folder
	@tools/grade "$(LAB)" --tree "$(TREE)" --picture

replay: ## Run one test of a lab again, exactly; LAB=cow TEST=share SEED=7 TREE=folder
	@tools/grade "$(LAB)" --tree "$(TREE)" --test "$(TEST)" --seed "$(SEED)" --replay $(GRADE_ARGS)

# --- reading and checking the source ---------------------------------------------------------------------

ALL_C := $(sort $(wildcard boot/*.[ch] kernel/*.[ch] kernel/*/*.[ch] mm/*.[ch] user/*.[ch] \
	user/*/*.[ch] tests/*/*.[ch] bench/*.[ch] bench/*/*.[ch] labs/*.h labs/*/*.[ch] labs/*/programs/*.c))
ALL_SH := tools/setup tools/ucc .ci/run

.PHONY: lint
lint: $(EVENTS) ## Check format, layers, headers, lengths, C and shell
	@tools/setup lint
	@CC="$(CC)" CFLAGS="$(CPPFLAGS) $(CFLAGS)" $(PYTHON) tools/lint
	@$(PYTHON) tools/events check
	@clang-format --dry-run -Werror $(ALL_C)
	@cppcheck --quiet --std=c11 --platform=unix64 --enable=warning,performance,portability \
		--inline-suppr --suppressions-list=tools/cppcheck.suppressions \
		--error-exitcode=1 -j $(JOBS) $(CPPFLAGS) $(KERNEL_C)
	@shellcheck $(ALL_SH)
	@echo "lint: all well"

.PHONY: format
format: ## Let clang-format settle the spacing of every C file
	@clang-format -i $(ALL_C)

.PHONY: compdb
compdb: $(EVENTS) ## Write build/compile_commands.json for editors
	@mkdir -p $(B)
	@$(PYTHON) tools/compdb '$(CC) $(CPPFLAGS) $(CFLAGS)' $(KERNEL_C) >$(B)/compile_commands.json
	@echo "$(B)/compile_commands.json"

.PHONY: clean
clean: ## Remove build/
	@rm -rf $(U)

.PHONY: help
help: ## Show this list
	@echo "Vitrine: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14
	@echo "Variables: DEBUG=1, CC=clang, EXTRA_CFLAGS=..., JOBS=N, TESTS=FILE, PYTEST_ARGS='...', RUN_ARGS='--mem 1G'"
	@echo "A single program in the guest: ./vm run -- PROGRAM ARG..., see ./vm --help"

-include $(KERNEL_OBJ:.o=.d) $(USER_BIN:%=%.d) $(LAB_BIN:%=%.d)
