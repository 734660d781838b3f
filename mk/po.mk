# Messages.  "make po" brings the sentences of the sources into po/*.po; the
# template is an intermediate file and stays in the build directory.
# msgmerge must not guess: a fuzzy translation in a backup's report is worse
# than an English sentence.

XGETTEXT ?= xgettext
# The bare --keyword switches gettext() itself off: gettext("") is no sentence.
XGETTEXT_FLAGS := --language=C --from-code=UTF-8 --keyword --keyword=_ \
	--keyword=N_ --keyword=P_:1,2 --add-comments=translators \
	--add-location=file --package-name=asbackup --sort-by-file
POT := $(BUILD)/asbackup.pot
PO_SRC := $(sort $(LIB_SRC) $(PROGRAM_SRC) \
	$(wildcard src/lib/*/*.h src/*/*.h))

$(POT): $(PO_SRC)
	@mkdir -p $(@D)
	$(Q)$(XGETTEXT) $(XGETTEXT_FLAGS) -o $@ $(PO_SRC)

pot: $(POT)

po: $(POT)
	$(Q)for l in $(LINGUAS); do \
		msgmerge --quiet --update --backup=none --no-fuzzy-matching \
		--add-location=file po/$$l.po $(POT) || exit; \
		msgattrib --no-obsolete -o po/$$l.po po/$$l.po || exit; \
		printf '%s: ' $$l; \
		msgfmt --statistics --check -o /dev/null po/$$l.po || exit; \
	done

.PHONY: po pot

# src/README.md from the first comment of every source file.
map:
	$(Q)mk/code-map.sh print > src/README.md
	$(Q)mk/code-map.sh check

# The sources as .clang-format (of Debian 12) wants them.
format:
	$(Q)clang-format -i $(wildcard src/*/*.[ch] src/lib/*/*.[ch] \
		tests/*/*.[ch] windows/*.[ch])

.PHONY: map format
