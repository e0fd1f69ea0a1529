# SPDX-License-Identifier: Apache-2.0
# The library that training processes link; a part of the Makefile.

.DEFAULT_GOAL := all
CLIENT     := $(sort $(wildcard worker/client/*.c))
RECORDS    := $(wildcard proto/framing.c proto/framing_[lrt]*.c)
PIC        := $(patsubst %.c,$(OUT)/pic/%.o,$(CLIENT) $(RECORDS) \
                proto/ring_layout.c base/bytes.c base/check.c base/fault.c)
LIBSMSHARD := $(addprefix $(OUT)/,libsmshard.so.0 libsmshard.a smshard.pc)
CLIENT_INSTALLED := $(OUT)/libsmshard.so.0:lib/libsmshard.so.0:755 \
    $(OUT)/libsmshard.so.0:lib/libsmshard.so:755 \
    $(OUT)/libsmshard.a:lib/libsmshard.a:644 \
    $(OUT)/smshard.pc:lib/pkgconfig/smshard.pc:644 \
    worker/client/smshard.h:include/smshard.h:644 \
    worker/client/smshard_records.h:include/smshard_records.h:644 \
    docs/man/smshard.3:share/man/man3/smshard.3:644 \
    $(foreach f,$(wildcard worker/client/python/pyproject.toml \
      worker/client/python/smshard/*.py),$f:$(patsubst \
      worker/client/%,share/smshard/%,$f):644)

# Tests end a process at chosen moments (smshard_state.h).
$(CLIENT:%.c=$(OUT)/obj/%.o): CPPFLAGS += -DSMSHARD_HOOKS
$(OUT)/pic/%.o: %.c Makefile worker/client/client.mk
	@mkdir -p $(@D)
	$(call say,CC    $<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -c -o $@ $<

# The library needs no other one: it has a CRC32C of its own (smshard_crc.h).
$(OUT)/pic/proto/framing_tfrecord.o: CPPFLAGS += -Dcrc_add=smshard_crc_add

$(OUT)/libsmshard.so.0: $(PIC) worker/client/smshard.map
	$(Q)$(CC) -shared $(filter -fsan%,$(MODE_FLAGS)) -o $@ $(PIC) \
	    -Wl,-soname,$(@F),-z,relro,-z,now,--version-script=$(lastword $^)

# Of the archive, too, only its own names are seen.
$(OUT)/libsmshard.a: $(PIC)
	$(Q)rm -f $@ && ld -r -o $(OUT)/pic/smshard.o $^
	$(Q)objcopy -w --keep-global-symbol='smshard_*' $(OUT)/pic/smshard.o
	$(Q)ar rcs $@ $(OUT)/pic/smshard.o

$(OUT)/smshard.pc: worker/client/smshard.pc.in Makefile
	$(Q)mkdir -p $(@D) && sed 's/@VERSION@/$(VERSION)/' $< >$@
