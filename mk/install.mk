# Installation.  DESTDIR is put before every path, PREFIX is /usr/local.
# /etc/asbackup/config.ini is written only when there is none, and never taken
# away again.

INSTALL ?= install
MAN_PAGES := $(sort $(wildcard man/*.[1-9]))
MAN_INSTALLED := $(foreach m,$(MAN_PAGES),\
	$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
SAMPLES := $(sort $(wildcard config/*))
SAMPLE_CONFIG := config/config.ini.sample
TEXTS := $(wildcard README.md CHANGES.md LICENSE)

install: all
	$(Q)$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(DOCDIR)/examples
	$(Q)$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)/
	$(Q)$(INSTALL) -m 644 $(TEXTS) $(DESTDIR)$(DOCDIR)/
	$(Q)set -e; for m in $(MAN_INSTALLED); do \
		$(INSTALL) -D -m 644 man/$${m##*/} $(DESTDIR)$$m; done
	$(Q)set -e; for l in $(LINGUAS); do \
		$(INSTALL) -D -m 644 $(BUILD)/locale/$$l/LC_MESSAGES/asbackup.mo \
		$(DESTDIR)$(LOCALEDIR)/$$l/LC_MESSAGES/asbackup.mo; done
	$(Q)set -e; for s in $(SAMPLES); do \
		$(INSTALL) -m 644 $$s $(DESTDIR)$(DOCDIR)/examples/; done
	$(Q)test ! -e $(SAMPLE_CONFIG) || \
		test -e $(DESTDIR)$(SYSCONFDIR)/asbackup/config.ini || \
		$(INSTALL) -D -m 600 $(SAMPLE_CONFIG) \
		$(DESTDIR)$(SYSCONFDIR)/asbackup/config.ini

# Directories that others may use too go only when they are empty.
uninstall:
	$(Q)rm -f $(PROGRAMS:$(BUILD)/%=$(DESTDIR)$(SBINDIR)/%)
	$(Q)rm -f $(MAN_INSTALLED:%=$(DESTDIR)%)
	$(Q)rm -f $(LINGUAS:%=$(DESTDIR)$(LOCALEDIR)/%/LC_MESSAGES/asbackup.mo)
	$(Q)rm -f $(SAMPLES:config/%=$(DESTDIR)$(DOCDIR)/examples/%)
	$(Q)rm -f $(TEXTS:%=$(DESTDIR)$(DOCDIR)/%)
	$(Q)for d in $(DOCDIR)/examples $(DOCDIR); do \
		rmdir $(DESTDIR)$$d 2>/dev/null || true; done

.PHONY: install uninstall
