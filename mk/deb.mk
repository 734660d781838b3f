# The Debian package, from a copy of the tree: mk/deb.sh.
#
#	make deb                      $(BUILD)/deb/asbackup_*.deb
#	make deb DEB_VERSION=1.2.3    with that version instead of the one of
#	                              debian/changelog

deb:
	@mk/deps.sh install build package || true
	@mk/deb.sh '$(abspath $(BUILD))' '$(DEB_VERSION)'

.PHONY: deb
