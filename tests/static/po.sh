#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every sentence for people is there in every language, and the catalogues are
# well formed.
. "$(dirname "$0")/common.sh"
need msgmerge gettext
need xgettext gettext

check 'the sentences can be collected' own_build po-check -s pot
pot=$build/po-check/asbackup.pot
[ -e "$pot" ] || finish

for po in po/*.po; do
	check "$po is well formed" msgfmt --check \
		-o /dev/null "$po"
	msgmerge --quiet --no-fuzzy-matching -o "$tmp/merged" "$po" "$pot" \
		2>&1 | empty "$po can be merged"
	msgattrib --no-obsolete --untranslated --no-wrap "$tmp/merged" |
		sed -n '/^msgid ""$/d; /^msgid/p' |
		empty "$po: nothing is untranslated"
	msgattrib --no-obsolete --only-fuzzy --no-wrap "$tmp/merged" |
		sed -n '/^msgid ""$/d; /^msgid/p' |
		empty "$po: nothing is fuzzy"
done
finish
