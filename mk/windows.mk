# SPDX-License-Identifier: MIT
#
# What a Veeam server on Windows needs: windows/README.md.
#
#	make windows           veeam-lock.exe, veeam-unlock.exe, the .cmd files
#	                       and the settings, into $(BUILD)/windows
#	make install-windows   the same below $(PREFIX)/share/asbackup/windows
#
# The cross compiler is mingw-w64 (mk/deps.sh list windows); "make" and "make
# install" do without it.  "make install" installs the command that the key of
# a Windows server is restricted to.

WINDOWS_TOOLS ?= x86_64-w64-mingw32-
WINDOWS_CC ?= $(WINDOWS_TOOLS)gcc
WINDOWS_RC ?= $(WINDOWS_TOOLS)windres
WINDOWS_BUILD := $(BUILD)/windows
WINDOWS_SRC := $(sort $(wildcard windows/*.c))
WINDOWS_OBJ := $(filter-out %/main.o,\
	$(WINDOWS_SRC:windows/%.c=$(WINDOWS_BUILD)/obj/%.o))
WINDOWS_EXE := $(WINDOWS_BUILD)/veeam-lock.exe $(WINDOWS_BUILD)/veeam-unlock.exe
WINDOWS_TEXT := $(addprefix $(WINDOWS_BUILD)/,veeam-pre-job.cmd \
	veeam-post-job.cmd veeam-ssh.cmd veeam-ids.ps1 veeam-lock.ini)
WINDOWS_DIR := $(PREFIX)/share/asbackup/windows
LIBEXECDIR ?= $(PREFIX)/libexec/asbackup
SSH_COMMAND := $(BUILD)/windows/veeam-ssh-command

# Windows 10, Server 2016 and later.
WINDOWS_CPPFLAGS := -D_WIN32_WINNT=0x0A00 -DUNICODE -D_UNICODE \
	-D__USE_MINGW_ANSI_STDIO=1 -D_FORTIFY_SOURCE=2 \
	-DWINDOWS_VERSION='L"$(VERSION)"'
WINDOWS_CFLAGS := -std=gnu11 -municode -O2 -Wall -Wextra -Werror -Wshadow \
	-Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wcast-qual -Wwrite-strings -fstack-protector-strong \
	-fno-ident -ffile-prefix-map=$(CURDIR)=.
# Addresses at random, no code on the stack; no library but those of Windows;
# the same bytes whenever it is built.
WINDOWS_LDFLAGS := -municode -static -s -Wl,--dynamicbase,--nxcompat \
	-Wl,--high-entropy-va,--no-insert-timestamp

windows: $(WINDOWS_EXE) $(WINDOWS_TEXT)

windows-compiler:
	@command -v $(WINDOWS_CC) >/dev/null || { \
		ASBACKUP_NO_INSTALL=1 mk/deps.sh install windows >&2; false; }

$(WINDOWS_BUILD)/obj/%.o: windows/%.c mk/windows.mk $(BUILD)/version.h \
	| windows-compiler
	@mkdir -p $(@D)
	$(call say,WINCC,$<)
	$(Q)$(WINDOWS_CC) $(WINDOWS_CPPFLAGS) $(WINDOWS_CFLAGS) -MMD -MP \
		-c -o $@ $<

$(WINDOWS_BUILD)/obj/main-lock.o: WINDOWS_CPPFLAGS += -DWINDOWS_ACTION=SSH_LOCK
$(WINDOWS_BUILD)/obj/main-unlock.o: \
	WINDOWS_CPPFLAGS += -DWINDOWS_ACTION=SSH_UNLOCK
$(WINDOWS_BUILD)/obj/main-lock.o $(WINDOWS_BUILD)/obj/main-unlock.o: \
	windows/main.c mk/windows.mk $(BUILD)/version.h | windows-compiler
	@mkdir -p $(@D)
	$(call say,WINCC,$<)
	$(Q)$(WINDOWS_CC) $(WINDOWS_CPPFLAGS) $(WINDOWS_CFLAGS) -MMD -MP \
		-c -o $@ $<

$(WINDOWS_BUILD)/obj/version.o: windows/version.rc windows/veeam.manifest \
	mk/windows.mk $(BUILD)/version.h | windows-compiler
	@mkdir -p $(@D)
	$(Q)$(WINDOWS_RC) -I windows -DRC_VERSION='\"$(VERSION)\"' -o $@ $<

$(WINDOWS_BUILD)/veeam-%.exe: $(WINDOWS_BUILD)/obj/main-%.o $(WINDOWS_OBJ) \
	$(WINDOWS_BUILD)/obj/version.o
	$(call say,WINLD,$@)
	$(Q)$(WINDOWS_CC) -o $@ $^ $(WINDOWS_CFLAGS) $(WINDOWS_LDFLAGS) -lntdll

# Windows wants its line ends.
$(WINDOWS_TEXT): $(WINDOWS_BUILD)/%: windows/%
	@mkdir -p $(@D)
	$(Q)sed 's/$$/\r/' $< > $@

-include $(wildcard $(WINDOWS_BUILD)/obj/*.d)

# --- the backup server's side -----------------------------------------------

$(SSH_COMMAND): windows/veeam-ssh-command.in $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(Q)$(FILL_IN) $< > $@ && chmod 755 $@

all: $(SSH_COMMAND)

install: install-ssh-command
install-ssh-command: $(SSH_COMMAND)
	$(Q)$(INSTALL) -D -m 755 $(SSH_COMMAND) \
		$(DESTDIR)$(LIBEXECDIR)/veeam-ssh-command

install-windows: windows
	$(Q)$(INSTALL) -d $(DESTDIR)$(WINDOWS_DIR)
	$(Q)$(INSTALL) -m 644 $(WINDOWS_EXE) $(WINDOWS_TEXT) \
		$(DESTDIR)$(WINDOWS_DIR)/

uninstall: uninstall-windows
uninstall-windows:
	$(Q)rm -f $(DESTDIR)$(LIBEXECDIR)/veeam-ssh-command
	$(Q)rm -f $(addprefix $(DESTDIR)$(WINDOWS_DIR)/,$(notdir \
		$(WINDOWS_EXE) $(WINDOWS_TEXT)))
	$(Q)for d in $(LIBEXECDIR) $(WINDOWS_DIR) $(dir $(WINDOWS_DIR)); do \
		rmdir $(DESTDIR)$$d 2>/dev/null || true; done

.PHONY: windows windows-compiler install-ssh-command install-windows \
	uninstall-windows
