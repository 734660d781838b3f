# libFuzzer targets: tests/fuzz/fuzz_NAME.c with the seeds of
# tests/fuzz/corpus/NAME.  The library is built a second time for them, with
# clang's coverage and the sanitizers, into a directory of its own.
#
#	make fuzz           FUZZ_SECONDS each; what is found stays in
#	                    build/fuzz/found/NAME and build/fuzz/crash-NAME-*
#	make fuzz-replay    every seed once
#
# FUZZ=conf chooses one target.

FUZZ_CC ?= clang
FUZZ_SECONDS ?= 30
FUZZ_BUILD := $(BUILD)/fuzz
FUZZ ?= $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-fsanitize=address,undefined
FUZZ_OBJ := $(LIB_SRC:%.c=$(FUZZ_BUILD)/obj/%.o)
FUZZ_ARCHIVE := $(FUZZ_BUILD)/libasbackup.a
FUZZ_BIN := $(FUZZ:%=$(FUZZ_BUILD)/fuzz_%)

$(FUZZ_BUILD)/obj/%.o: %.c $(FLAGS_STAMP) mk/fuzz.mk \
	| $(BUILD)/paths.h $(BUILD)/version.h $(BUILD)/host.h libs-present
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link \
		-MMD -MP -c -o $@ $<

$(FUZZ_ARCHIVE): $(FUZZ_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $(FUZZ_OBJ)

$(FUZZ_BUILD)/fuzz_%: $(FUZZ_BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_ARCHIVE)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $< \
		$(FUZZ_ARCHIVE) $(LIB_LIBS)

fuzz-build: $(FUZZ_BIN)

fuzz: $(FUZZ_BIN)
	$(Q)set -e; for n in $(FUZZ); do \
		printf '  FUZZ    %s, %s s\n' $$n $(FUZZ_SECONDS); \
		mkdir -p $(FUZZ_BUILD)/found/$$n; \
		$(FUZZ_BUILD)/fuzz_$$n -max_total_time=$(FUZZ_SECONDS) \
			-timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix=$(FUZZ_BUILD)/crash-$$n- \
			$(FUZZ_BUILD)/found/$$n tests/fuzz/corpus/$$n; \
	done

fuzz-replay: $(FUZZ_BIN)
	$(Q)set -e; for n in $(FUZZ); do \
		printf '  REPLAY  %s\n' $$n; \
		$(FUZZ_BUILD)/fuzz_$$n -runs=0 -timeout=10 -rss_limit_mb=1024 \
			-artifact_prefix=$(FUZZ_BUILD)/crash-$$n- \
			tests/fuzz/corpus/$$n; \
	done

-include $(FUZZ_OBJ:.o=.d) $(FUZZ_SRC:%.c=$(FUZZ_BUILD)/obj/%.d)

.PHONY: fuzz fuzz-build fuzz-replay
