# Installation.  DESTDIR is put before every path, PREFIX is /usr/local.
# /etc/asbackup/config.ini is written only when there is none, and never taken
# away again.  Nothing on the running system is touched: what has to be told is
# printed, unless the files go below a DESTDIR.

INSTALL ?= install
MAN_PAGES := $(sort $(wildcard man/*.[1-9]))
MAN_INSTALLED := $(foreach m,$(MAN_PAGES),\
	$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
SAMPLES := $(sort $(wildcard config/*.sample))
FIRST_CONFIG := config/config.ini
TEXTS ?= $(wildcard README.md CHANGES.md LICENSE)
DOCS := $(sort $(wildcard docs/*.md))

# --- udev and systemd -------------------------------------------------------

# The units and the rule, with our paths filled in where they end in ".in".
UNIT_SUFFIXES := service timer slice socket target path mount
SYSTEMD_SRC := $(sort $(foreach s,$(UNIT_SUFFIXES),\
	$(wildcard systemd/*.$(s) systemd/*.$(s).in)))
UDEV_SRC := $(sort $(wildcard udev/*.rules.in))
UNITS := $(patsubst %.in,%,$(SYSTEMD_SRC))
RULES := $(patsubst %.in,%,$(UDEV_SRC))
GENERATED := $(addprefix $(BUILD)/,$(UNITS) $(RULES))

FILL_IN = sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g'

$(BUILD)/systemd/%: systemd/%.in $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(Q)$(FILL_IN) $< > $@

$(BUILD)/systemd/%: systemd/%
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BUILD)/udev/%: udev/%.in $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(Q)$(FILL_IN) $< > $@

all: $(GENERATED)

# --- all files --------------------------------------------------------------

install: all
	$(Q)$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(DOCDIR)/examples \
		$(DESTDIR)$(UNITDIR) $(DESTDIR)$(UDEVRULESDIR)
	$(Q)$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)/
	$(Q)$(INSTALL) -m 644 $(TEXTS) $(DOCS) $(DESTDIR)$(DOCDIR)/
	$(Q)$(INSTALL) -m 644 $(UNITS:%=$(BUILD)/%) $(DESTDIR)$(UNITDIR)/
	$(Q)$(INSTALL) -m 644 $(RULES:%=$(BUILD)/%) $(DESTDIR)$(UDEVRULESDIR)/
	$(Q)$(INSTALL) -D -m 644 systemd/asbackup.sysusers \
		$(DESTDIR)$(SYSUSERSDIR)/asbackup.conf
	$(Q)$(INSTALL) -D -m 644 systemd/asbackup.tmpfiles \
		$(DESTDIR)$(TMPFILESDIR)/asbackup.conf
	$(Q)set -e; for m in $(MAN_INSTALLED); do \
		$(INSTALL) -D -m 644 man/$${m##*/} $(DESTDIR)$$m; done
	$(Q)set -e; for l in $(LINGUAS); do \
		$(INSTALL) -D -m 644 $(BUILD)/locale/$$l/LC_MESSAGES/asbackup.mo \
		$(DESTDIR)$(LOCALEDIR)/$$l/LC_MESSAGES/asbackup.mo; done
	$(Q)set -e; for s in $(SAMPLES); do \
		$(INSTALL) -m 644 $$s $(DESTDIR)$(DOCDIR)/examples/; done
	$(Q)test ! -e $(FIRST_CONFIG) || \
		test -e $(DESTDIR)$(SYSCONFDIR)/asbackup/config.ini || \
		$(INSTALL) -D -m 600 $(FIRST_CONFIG) \
		$(DESTDIR)$(SYSCONFDIR)/asbackup/config.ini
	$(Q)test -n '$(DESTDIR)' || printf '%s\n' \
		'Installed. So that a disk is copied to when it is plugged in:' \
		'    systemd-sysusers asbackup.conf' \
		'    systemd-tmpfiles --create asbackup.conf' \
		'    systemctl daemon-reload' \
		'    systemctl enable --now $(notdir $(filter %.timer,$(UNITS)))' \
		'    udevadm control --reload'

# Directories that others may use too go only when they are empty.
uninstall:
	$(Q)rm -f $(PROGRAMS:$(BUILD)/%=$(DESTDIR)$(SBINDIR)/%)
	$(Q)rm -f $(UNITS:systemd/%=$(DESTDIR)$(UNITDIR)/%)
	$(Q)rm -f $(RULES:udev/%=$(DESTDIR)$(UDEVRULESDIR)/%)
	$(Q)rm -f $(DESTDIR)$(SYSUSERSDIR)/asbackup.conf
	$(Q)rm -f $(DESTDIR)$(TMPFILESDIR)/asbackup.conf
	$(Q)rm -f $(MAN_INSTALLED:%=$(DESTDIR)%)
	$(Q)rm -f $(LINGUAS:%=$(DESTDIR)$(LOCALEDIR)/%/LC_MESSAGES/asbackup.mo)
	$(Q)rm -f $(SAMPLES:config/%=$(DESTDIR)$(DOCDIR)/examples/%)
	$(Q)rm -f $(addprefix $(DESTDIR)$(DOCDIR)/,$(TEXTS) $(notdir $(DOCS)))
	$(Q)for d in $(DOCDIR)/examples $(DOCDIR); do \
		rmdir $(DESTDIR)$$d 2>/dev/null || true; done
	$(Q)test -n '$(DESTDIR)' || printf '%s\n' \
		'Uninstalled; /etc/asbackup and /var/lib/asbackup are still there.' \
		'    systemctl disable --now $(notdir $(filter %.timer,$(UNITS)))' \
		'    systemctl daemon-reload'

.PHONY: install uninstall
