# The lock protocol checked with spin, in sizes that "make check" has no time
# for: tests/model/run.py.  Ten minutes on two cores, 4 GiB.
#
#	make model               T=2 jobs: only lines with "2 jobs" in them
#
# What spin generated, trails too, stays in $(BUILD)/model.
model:
	@rm -rf '$(BUILD)/model'
	@tests/model/run.py --long --only '$(T)' --dir '$(BUILD)/model'

.PHONY: model
