# Tests, demonstration and measurements.  What is run and how it is counted:
# tests/README.md.

comma := ,

# The runner builds what it needs by calling make again, so that packages
# installed by its first step are seen by pkg-config.
check:
	@MAKE='$(MAKE)' CC='$(CC)' SAN='$(SAN)' BUILD='$(BUILD)' T='$(T)' \
		MAKEFLAGS= tests/run

# What the tests need beside the programs.
unit-tests: $(UNIT_BIN)
test-helpers: $(HELPER_BIN)
# Its own malloc() and the like, for our calls.
$(BUILD)/tests/test_nomem: LDFLAGS_ALL += $(addprefix -Wl$(comma)--wrap=,\
	malloc calloc realloc reallocarray strdup strndup vasprintf \
	__vasprintf_chk)
# Its own look at the disk, and its own poll(2).
$(BUILD)/tests/test_target_gone: LDFLAGS_ALL += -Wl,--wrap=disk_check
$(BUILD)/tests/test_target_driver: LDFLAGS_ALL += -Wl,--wrap=poll
check-build: all unit-tests test-helpers

demo:
	@mk/deps.sh install build demo || true
	@$(MAKE) --no-print-directory all
	@ASBACKUP_BUILD='$(abspath $(BUILD))' tests/demo/demo.sh

demo-clean:
	@ASBACKUP_BUILD='$(abspath $(BUILD))' tests/demo/clean.sh

bench: all test-helpers
	@ASBACKUP_BUILD='$(abspath $(BUILD))' tests/bench/locks.sh
	@ASBACKUP_BUILD='$(abspath $(BUILD))' tests/bench/vmexec.sh
	@ASBACKUP_BUILD='$(abspath $(BUILD))' tests/bench/run.sh

torture: all test-helpers
	@ASBACKUP_BUILD='$(abspath $(BUILD))' tests/root/torture_locks.sh
	@ASBACKUP_BUILD='$(abspath $(BUILD))' VMEXEC_CUTS=1000 \
		VMEXEC_SEED=$$$$ bash tests/vmexec/cuts.sh
	@ASBACKUP_BUILD='$(abspath $(BUILD))' bash tests/vmexec/hostile.sh
	@ASBACKUP_BUILD='$(abspath $(BUILD))' tests/root/torture.sh

.PHONY: check unit-tests test-helpers check-build demo demo-clean bench torture
