# SPDX-License-Identifier: Apache-2.0
# make               the program               make check   all tests
# MODE=debug|release|asan|tsan|fuzz|cover      each has its own build folder
# CC=clang picks the compiler; V=1 shows the commands.

MODE  ?= release
CC    := $(if $(filter default,$(origin CC)),gcc,$(CC))
BUILD ?= build
OUT   := $(BUILD)/$(MODE)-$(notdir $(CC))

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
        -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
        -Wwrite-strings -Wundef -Wvla -Wswitch-enum -Wformat=2 \
        -Wold-style-definition $(if $(WERROR),-Werror)

FLAGS_debug   := -O0 -g
FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
FLAGS_asan    := -O1 -g -fsanitize=address,undefined \
                 -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread
MODE_FLAGS    := $(or $(FLAGS_$(MODE)),$(error MODE=$(MODE) is not known))

CPPFLAGS += -D_GNU_SOURCE -I.
CFLAGS   += -std=c17 $(WARN) $(MODE_FLAGS) -MMD -MP
LDFLAGS  += $(MODE_FLAGS)
LDLIBS   += -lczmq -lzmq -lmsgpackc -lcrypto -lpthread

CORE  := $(sort $(wildcard base/*.c proto/*.c store/*.c coordinator/*.c \
           worker/*.c))
CLI   := $(sort $(wildcard cli/*.c))
UNITS := $(sort $(wildcard tests/unit/test_*.c))

obj       = $(1:%.c=$(OUT)/%.o)
LIB       := $(OUT)/libcore.a
UNIT_BINS := $(UNITS:%.c=$(OUT)/%)
Q         := $(if $(V),,@)

all: $(if $(CLI),$(OUT)/smshard)

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(LIB): $(call obj,$(CORE))
	$(Q)rm -f $@ && ar rcs $@ $^

$(OUT)/smshard: $(call obj,$(CLI)) $(LIB)
$(UNIT_BINS): $(OUT)/%: $(OUT)/%.o $(LIB)
$(OUT)/smshard $(UNIT_BINS):
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(UNIT_BINS)
	$(Q)set -e; for t in $^; do echo "$$t"; $$t; done

clean:
	rm -rf $(BUILD)

.PHONY: all unit clean
.SECONDARY:
-include $(patsubst %.c,$(OUT)/%.d,$(CORE) $(CLI) $(UNITS))
