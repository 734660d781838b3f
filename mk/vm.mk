# The proof in a virtual machine: tests/README.md.
#
#	make vm-check            every case; T=pull only those with "pull"
#	                         in their name
#
# Needs root, to make the image.  Console, journal and mails of a case that
# fails are kept in $(BUILD)/vm-logs.
vm-check:
	@MAKE='$(MAKE)' BUILD='$(BUILD)' T='$(T)' MAKEFLAGS= tests/vm/run.sh

.PHONY: vm-check
