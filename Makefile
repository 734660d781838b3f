# SPDX-License-Identifier: MIT
#
# One Makefile, not recursive.  "make" builds and never installs packages;
# "sudo make demo" and "sudo make check" install what is missing first.
#
#	make               the programs and their message catalogues
#	make check         every test this machine can run (tests/README.md);
#	                   T=mime only those with "mime" in their name
#	make vm-check      a real udev and systemd, in a virtual machine
#	make demo          a copy to see with your own eyes; demo-clean
#	make install       DESTDIR=, PREFIX=/usr/local; uninstall
#	make deb           the Debian package, into build/deb
#	make windows       programs for a Veeam server on Windows, by mingw-w64
#	make fuzz          the parsers, FUZZ_SECONDS each
#	make po            new sentences into po/*.po
#	make map           src/README.md from the first comment of every file
#	make format        clang-format over all sources
#	make bench         the figures of the documentation
#	make torture       the locks for ten minutes, 1,000 cuts of vmexec's line,
#	                   SIGKILL at every system call
#	make model         the lock protocol, checked with spin in larger sizes
#
# SAN=1 builds with address and undefined behaviour sanitizers; V=1 shows the
# commands; WERROR=1 turns warnings into errors; BUILD= builds elsewhere.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
LOCALSTATEDIR ?= /var
RUNSTATEDIR ?= /run
SBINDIR := $(PREFIX)/sbin
MANDIR := $(PREFIX)/share/man
DOCDIR := $(PREFIX)/share/doc/asbackup
LOCALEDIR := $(PREFIX)/share/locale
UNITDIR ?= $(PREFIX)/lib/systemd/system
UDEVRULESDIR ?= $(PREFIX)/lib/udev/rules.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d

BUILD ?= $(if $(filter 1,$(SAN)),build/san,build)
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
# silent with "make -s" and with V=1, where make shows the whole command
quiet := $(filter 1,$(V))$(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(quiet),@:,@printf '  %-7s %s\n' $(1) $(2))

all:

include mk/flags.mk
include mk/libs.mk
include mk/version.mk

CPPFLAGS_ALL := -std=gnu11 -D_GNU_SOURCE -iquote src/lib/base -iquote src/lib \
	-I$(BUILD) $(LIB_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL = $(OPTIMISE) $(HARDENING) $(WARNINGS) $(CFLAGS)
LDFLAGS_ALL = $(HARDENING_LD) $(LDFLAGS)

# --- sources ----------------------------------------------------------------

# What the programs share lies in the archive as well: each takes what it uses.
LIB_SRC := $(sort $(wildcard src/lib/base/*.c src/lib/sys/*.c \
	src/lib/core/*.c src/common/*.c))
# A directory below src/ for each program, called like it.
PROGRAM_NAMES := asbackup veeam-lock veeam-unlock vmexec
PROGRAM_SRC := $(sort $(foreach p,$(PROGRAM_NAMES),$(wildcard src/$(p)/*.c)))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
HELPER_SRC := $(sort $(wildcard tests/helpers/*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
LINGUAS := $(patsubst po/%.po,%,$(sort $(wildcard po/*.po)))

LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
PROGRAM_OBJ := $(PROGRAM_SRC:%.c=$(BUILD)/obj/%.o)
ARCHIVE := $(BUILD)/libasbackup.a
PROGRAMS := $(PROGRAM_NAMES:%=$(BUILD)/%)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
HELPER_BIN := $(HELPER_SRC:tests/helpers/%.c=$(BUILD)/helpers/%)
MO := $(LINGUAS:%=$(BUILD)/locale/%/LC_MESSAGES/asbackup.mo)

all: $(PROGRAMS) $(MO)

# --- compile and link -------------------------------------------------------

# Everything depends on the flags, so that a change of them rebuilds.
FLAGS_STAMP := $(BUILD)/flags.stamp
FLAGS_NOW := $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(LOCALEDIR) \
	$(SYSCONFDIR) $(LOCALSTATEDIR) $(RUNSTATEDIR) $(SBINDIR)
ifneq ($(MAKECMDGOALS),clean)
$(shell mkdir -p $(BUILD); printf '%s' '$(FLAGS_NOW)' | \
	cmp -s - $(FLAGS_STAMP) || printf '%s' '$(FLAGS_NOW)' > $(FLAGS_STAMP))
endif

$(BUILD)/paths.h: $(FLAGS_STAMP) mk/paths.h.in
	$(Q)sed -e 's|@LOCALEDIR@|$(LOCALEDIR)|' \
		-e 's|@SYSCONFDIR@|$(SYSCONFDIR)|' \
		-e 's|@LOCALSTATEDIR@|$(LOCALSTATEDIR)|' \
		-e 's|@RUNSTATEDIR@|$(RUNSTATEDIR)|' mk/paths.h.in > $@

$(BUILD)/obj/%.o: %.c $(FLAGS_STAMP) \
	| $(BUILD)/paths.h $(BUILD)/version.h $(BUILD)/host.h libs-present
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(ARCHIVE): $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

# The archive brings only what a program uses, and --as-needed only the
# libraries of that.
define program
$(BUILD)/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard src/$(1)/*.c)) \
	$(ARCHIVE)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIB_LIBS)
endef
$(foreach p,$(PROGRAM_NAMES),$(eval $(call program,$(p))))

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(ARCHIVE) $(LIB_LIBS) -lcmocka

$(BUILD)/helpers/%: $(BUILD)/obj/tests/helpers/%.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(ARCHIVE) $(LIB_LIBS)

$(BUILD)/locale/%/LC_MESSAGES/asbackup.mo: po/%.po
	@mkdir -p $(@D)
	$(call say,MO,$@)
	$(Q)msgfmt --check -o $@ $<

-include $(LIB_OBJ:.o=.d) $(PROGRAM_OBJ:.o=.d) \
	$(UNIT_SRC:%.c=$(BUILD)/obj/%.d) $(HELPER_SRC:%.c=$(BUILD)/obj/%.d)

include mk/host.mk
include mk/helpers.mk
include mk/check.mk
include mk/fuzz.mk
include mk/install.mk
include mk/deb.mk
include mk/po.mk
include mk/vm.mk
include mk/model.mk
include mk/windows.mk

clean:
	$(Q)rm -rf build

.PHONY: all clean
.DELETE_ON_ERROR:
.SECONDARY:
