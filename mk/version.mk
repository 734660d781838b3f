# The version: of a git checkout by "git describe", else what follows.
VERSION_FALLBACK := 0.1.0
VERSION := $(shell git describe --tags --match 'v*' --dirty 2>/dev/null | \
	sed 's/^v//')
VERSION := $(or $(VERSION),$(VERSION_FALLBACK))

# Looked at every time, written only when it has changed.
$(BUILD)/version.h: FORCE
	$(Q)mkdir -p $(BUILD) && \
	printf '#define VERSION "%s"\n' '$(VERSION)' > $@.new && \
	{ cmp -s $@.new $@ || cp $@.new $@; } && rm -f $@.new

FORCE:
.PHONY: FORCE
