# What the test helpers need beyond the rule for all of them.

# faultfs is left out, and what needs it skipped, where libfuse3 is missing.
ifeq ($(shell $(PKG_CONFIG) --exists fuse3 2>/dev/null && echo yes),yes)
# -isystem: our warnings are not for their headers.
$(BUILD)/obj/tests/helpers/faultfs.o: CPPFLAGS_ALL += \
	$(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags fuse3))
$(BUILD)/helpers/faultfs: LIB_LIBS += $(shell $(PKG_CONFIG) --libs fuse3)
else
HELPER_SRC := $(filter-out %/faultfs.c,$(HELPER_SRC))
HELPER_BIN := $(filter-out %/faultfs,$(HELPER_BIN))
endif
