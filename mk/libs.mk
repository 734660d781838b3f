# Every foreign library: by its pkg-config name, or by a plain -l flag where it
# has none.  The Debian packages that bring them are in mk/deps.sh.

PKG_CONFIG ?= pkg-config
PKGS := libudev blkid mount jansson sqlite3 libxxhash libcrypto libssl libssh

LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
LIB_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) \
	-lesmtp -liniparser
# Debian ships iniparser's header in a directory of its own.
LIB_CFLAGS += $(if $(wildcard /usr/include/iniparser),-I/usr/include/iniparser)

# Say it once and plainly instead of a hundred compiler errors.
libs-present:
	@$(PKG_CONFIG) --exists $(PKGS) 2>/dev/null || { \
		ASBACKUP_NO_INSTALL=1 mk/deps.sh install build >&2; \
		false; }
.PHONY: libs-present
