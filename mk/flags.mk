# Warnings and hardening, as lists that can be read.  The user's CPPFLAGS,
# CFLAGS and LDFLAGS come last and win.

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion \
	-Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wcast-align -Wwrite-strings -Wundef \
	-Wvla -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference

HARDENING := -fstack-protector-strong -fPIE
HARDENING_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

ARCH := $(shell uname -m)
ifeq ($(ARCH),x86_64)
HARDENING += -fcf-protection
endif

# clang 14 knows it, but only gcc and clang >= 11 on Linux; ask the compiler.
HARDENING += $(shell $(CC) -fstack-clash-protection -x c -c /dev/null \
	-o /dev/null 2>/dev/null && echo -fstack-clash-protection)

ifeq ($(SAN),1)
OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
HARDENING_LD += -fsanitize=address,undefined
else
OPTIMISE := -O2 -g -D_FORTIFY_SOURCE=3
endif

# Warnings are errors in the test run only (WERROR=1): a newer compiler must
# not break an installation.
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
