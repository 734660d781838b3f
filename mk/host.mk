# What runs on the host, as strings in $(BUILD)/host.h, without its comments
# and indentation: it is sent with every request.

HOST_SRC := $(sort $(wildcard src/host/*.sh))

$(BUILD)/host.h: $(HOST_SRC) mk/host.mk $(FLAGS_STAMP)
	$(call say,GEN,$@)
	$(Q)for f in $(HOST_SRC); do \
		name=$${f##*/}; \
		printf 'static const char host_%s[] =\n' $${name%.sh}; \
		sed -e 's/^[[:blank:]]*//' -e '/^#/d' -e '/^$$/d' \
			-e 's/[\\"]/\\&/g' -e 's/.*/\t"&\\n"/' $$f; \
		printf '\t;\n'; \
	done > $@
