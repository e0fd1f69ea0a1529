# SPDX-License-Identifier: Apache-2.0
# One program, one Makefile; `make help` lists the targets.
# MODE=debug|release|asan|tsan|fuzz|cover and CC=gcc|clang: every pair has its
# own folder, build/MODE-CC. V=1 shows the commands, WERROR=1 makes a warning
# an error. Sources are found by their folder: a new file needs no line here.

VERSION := 0.1.0
MODE    ?= $(or $(firstword $(filter fuzz cover,$(MAKECMDGOALS))),release)
CC      := $(if $(filter-out default,$(origin CC)),$(CC),$(if \
             $(filter fuzz,$(MODE)),clang,gcc))
BUILD   ?= build
OUT     := $(BUILD)/$(MODE)-$(notdir $(CC))
PREFIX  ?= /usr/local
SECONDS ?= 10
SEEDS   ?= 1000
STORE   ?= dir

# ---- Flags -----------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
        -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
        -Wwrite-strings -Wundef -Wvla -Wswitch-enum -Wformat=2 \
        -Wold-style-definition $(if $(WERROR),-Werror)

CPU            := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
HARDEN_x86_64  := -fcf-protection -fstack-clash-protection
HARDEN_aarch64 := -mbranch-protection=standard
HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
          -fPIE $(HARDEN_$(CPU))
SANE   := -O1 -g1 -U_FORTIFY_SOURCE -fno-omit-frame-pointer

FLAGS_debug   := -O0 -g
FLAGS_release := -O2 -g $(HARDEN)
FLAGS_asan    := $(SANE) -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan    := $(SANE) -fsanitize=thread
FLAGS_fuzz    := $(SANE) -fsanitize=fuzzer-no-link,address,undefined \
                 -fno-sanitize-recover=all
FLAGS_cover   := -O0 -g --coverage
MODE_FLAGS    := $(or $(FLAGS_$(MODE)),$(error MODE=$(MODE) is not known))

ifneq ($(filter fuzz,$(MODE)),)
$(if $(findstring clang,$(CC)),,$(error MODE=fuzz needs CC=clang))
endif

# msgpack-c was renamed between distributions; its .pc file knows. Expanded
# when something is linked, because `make setup` may have to run first.
MSGPACK = $(shell pkg-config --libs msgpack-c 2>/dev/null || \
            pkg-config --libs msgpack 2>/dev/null || echo -lmsgpackc)

CPPFLAGS += -D_GNU_SOURCE -I.
CFLAGS   += -std=c17 $(WARN) $(MODE_FLAGS) -MMD -MP
LDFLAGS  += $(MODE_FLAGS) $(if $(filter release,$(MODE)),-pie \
              -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
LDLIBS    = -lczmq -lzmq $(MSGPACK) -lcurl -lexpat -lisal -lssl -lcrypto \
            -lhwloc -lfuse3 -lpthread -lm
comma    := ,

# ---- Sources and what they become ------------------------------------------
CORE     := $(sort $(foreach d,base proto store coordinator worker, \
              $(wildcard $d/*.c)))
CLI      := $(sort $(wildcard cli/*.c))
SIM      := $(sort $(wildcard cluster-sim/*.c))
include worker/client/client.mk
TESTLIB  := $(sort $(wildcard tests/conformance/*.c tests/s3server/*.c) \
              $(CLIENT) $(filter-out cluster-sim/main.c,$(SIM)))
PROGRAMS := $(sort $(wildcard tests/unit/test_*.c tests/tools/*.c \
              tests/bench/bench_*.c))
FUZZERS  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
REPLAY   := $(if $(filter fuzz,$(MODE)),,tests/fuzz/replay.c)
SCRIPTS  := $(sort $(filter-out %/lib.sh,$(wildcard tests/integration/*.sh)))

obj      = $(1:%.c=$(OUT)/obj/%.o)
SMSHARD := $(if $(CLI),$(OUT)/smshard)
SIM_BIN := $(if $(SIM),$(OUT)/cluster-sim)
BINS    := $(PROGRAMS:%.c=$(OUT)/%)
FUZZ    := $(FUZZERS:%.c=$(OUT)/%)
OBJS    := $(call obj,$(CORE) $(CLI) $(SIM) $(TESTLIB) $(PROGRAMS) \
             $(FUZZERS) $(REPLAY))
LIBS    := $(OUT)/libtest.a $(OUT)/libcli.a $(OUT)/libcore.a
TOOLS   := $(filter $(OUT)/tests/tools/%,$(BINS))
UNITS   := $(filter $(OUT)/tests/unit/%,$(BINS))
BENCHES := $(filter $(OUT)/tests/bench/%,$(BINS))
ALL     := $(SMSHARD) $(SIM_BIN) $(BINS) $(FUZZ)

Q   := $(if $(V),,@)
say  = $(if $(V),,@echo "  $1")
ENV := MODE=$(MODE) CC=$(CC) OUT=$(abspath $(OUT)) \
       SMSHARD=$(abspath $(OUT)/smshard) STORE=$(STORE)

all: $(SMSHARD) $(SIM_BIN) $(LIBSMSHARD) ## The program (the default)

$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC    $<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

%/cli/version.o %/client/smshard_os.o: CPPFLAGS += -DSMSHARD_VERSION='"$(VERSION)"'

$(OUT)/libcore.a: $(call obj,$(CORE))
$(OUT)/libcli.a:  $(call obj,$(CLI))
$(OUT)/libtest.a: $(call obj,$(TESTLIB))
$(LIBS):
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(OUT)/smshard:     $(call obj,$(CLI)) $(OUT)/libcore.a
$(OUT)/cluster-sim: $(call obj,$(SIM)) $(OUT)/libcore.a
$(BINS): $(OUT)/%:  $(OUT)/obj/%.o $(LIBS)
$(FUZZ): $(OUT)/%:  $(OUT)/obj/%.o $(call obj,$(REPLAY)) $(LIBS)
$(FUZZ): LDFLAGS += $(if $(REPLAY),,-fsanitize=fuzzer)
$(sort $(ALL)):
	@mkdir -p $(@D)
	$(call say,LINK  $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- Tests and checks ------------------------------------------------------
check: setup $(ALL) $(LIBSMSHARD) ## Build, then unit, conformance, corpus, integration tests
	$(Q)$(ENV) tests/run.sh check $(UNITS) $(if $(REPLAY),$(FUZZ)) $(SCRIPTS)
unit: $(UNITS) $(TOOLS) ## Unit and conformance tests only
	$(Q)$(ENV) tests/run.sh unit $(UNITS)
sim: $(SIM_BIN) ## Play SEEDS=1000 seeds of the simulated cluster
	$(Q)$(SIM_BIN) --all $(SEEDS)
sim-long: $(SIM_BIN) ; $(Q)$(SIM_BIN) --all 20000 ## The same with 20,000
sim-mutants: $(SIM_BIN) ; $(Q)$(ENV) tests/mutants/run.sh ## Plant known mistakes: each has to be found
replay: $(FUZZ) ## Replay the fuzz corpus only
	$(Q)$(ENV) tests/run.sh replay $^
fuzz: $(FUZZ) ## Fuzz each target for SECONDS=10 with clang
	$(Q)$(ENV) tests/fuzz/run.sh $(SECONDS) $^

cover: setup $(ALL) ## Run the tests and print the coverage of each folder
	$(Q)find $(OUT) -name '*.gcda' -delete
	$(Q)$(ENV) tests/run.sh check $(UNITS) $(FUZZ) $(SCRIPTS)
	$(Q)$(ENV) tests/cover.sh

bench: $(SMSHARD) $(BENCHES) ## Build and run every benchmark
bench-coordinator: $(filter %_ledger %_net %_coordinator,$(BENCHES)) ## Leading 10,000 hosts
bench bench-coordinator:
	$(Q)set -e; for b in $(filter $(BENCHES),$^); do echo "== $${b##*/}"; $(ENV) $$b; done
check-failover: setup $(SMSHARD) $(TOOLS) ## Real hosts die, ROUNDS=10 times
	$(Q)$(ENV) ROUNDS=$(or $(ROUNDS),10) tests/integration/test_failover.sh
check-s3: setup $(SMSHARD) $(TOOLS) ## S3 against a real server, SeaweedFS
	$(Q)$(ENV) tests/s3/check.sh
bench-store: $(BENCHES) ## What a gigabyte from S3 costs
bench-read: all $(BENCHES) $(TOOLS) ## Reading, beside peers that are installed
bench-store bench-read: setup
	$(Q)$(ENV) tests/bench/$(@:bench-%=%).sh
check-topologies: setup $(SMSHARD) ## Compare hwloc's XML in DIR= with hwloc-calc
	$(Q)$(ENV) tests/topologies/check.py "$(DIR)"
check-numa: setup $(SMSHARD) $(TOOLS) ; $(Q)$(ENV) tests/numa/run.sh ## Two memory nodes, in a guest of qemu
check-torch: setup all ; $(Q)$(ENV) tests/torch/run.sh ## PyTorch reads, in every mode
lint: setup ; $(Q)OUT=$(OUT) tests/lint/run.sh ## Format, tidy, cppcheck, shellcheck, rules
fmt: setup ; $(Q)tests/lint/run.sh fmt ## Format every C file
demo: setup $(SMSHARD) $(TOOLS) ; $(Q)$(ENV) tests/demo/run.sh ## A job of three hosts here; STORE=s3: on S3
cluster: setup ; $(Q)$(ENV) cluster-sim/run.sh ## A job of three hosts in Docker Compose

# ---- Machine, packages -----------------------------------------------------
wants = $(filter $1,$(MAKECMDGOALS))
setup: ## Install what is missing (Debian, Ubuntu); names it elsewhere
	$(Q)tests/setup.sh build check $(if $(findstring clang,$(CC)),clang) \
	    $(if $(call wants,lint fmt),lint) $(filter cluster,$(MAKECMDGOALS)) $(if \
	    $(call wants,check-s3)$(filter s3,$(STORE)),s3) $(if \
	    $(call wants,bench-store bench-read),bench)

$(if $(call wants,setup check check-s3 check-torch check-failover bench-store bench-read cover demo cluster),$(eval \
    $(OBJS): | setup))

# What is installed: source:place under PREFIX:mode. Uninstall reads the same.
INSTALLED := $(SMSHARD:%=%:bin/smshard:755) $(CLIENT_INSTALLED) \
    $(foreach m,$(wildcard docs/man/*.1),$m:share/man/man1/$(notdir $m):644) \
    $(patsubst %,%:share/doc/smshard/README.md:644,$(wildcard README.md)) \
    $(patsubst %,%:share/bash-completion/completions/smshard:644,\
      $(wildcard cli/completion.bash))
part = $(word $1,$(subst :, ,$2))
dest = "$(DESTDIR)$(PREFIX)/$(call part,2,$1)"
define put
	install -D -m $(call part,3,$1) $(call part,1,$1) $(call dest,$1)

endef
install: all ## Install under PREFIX=/usr/local, DESTDIR before it
	$(foreach f,$(INSTALLED),$(call put,$f))
uninstall: ## Remove exactly what install puts there
	rm -f $(foreach f,$(INSTALLED),$(call dest,$f))
	@rmdir "$(DESTDIR)$(PREFIX)/share/doc/smshard" 2>/dev/null || true
dist: ## Pack the committed tree as build/smshard-VERSION.tar.gz
	$(Q)mkdir -p $(BUILD) && git archive --format=tar.gz --prefix=smshard-$(VERSION)/ \
	    -o $(BUILD)/smshard-$(VERSION).tar.gz HEAD
	@echo $(BUILD)/smshard-$(VERSION).tar.gz
clean: ## Remove everything that was built
	rm -rf $(BUILD)

help: ## This list
	@sed -n 's/^# \(MODE=.*\|own folder.*\|an error.*\)/\1/p' Makefile
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1 \2/p' Makefile | \
	    while read -r t text; do printf '  %-10s %s\n' "$$t" "$$text"; done

.PHONY: all check check-s3 check-failover check-topologies check-numa \
        check-torch unit replay fuzz cover bench lint fmt bench-store bench-read bench-coordinator sim sim-long \
        sim-mutants demo cluster setup install uninstall dist clean help
.SECONDARY .DELETE_ON_ERROR:
-include $(OBJS:.o=.d) $(PIC:.o=.d)
