#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Getting in: is it the host, who are we, and how many may come at a time.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd
new_user vm

# login WANTED WHAT [OPTION...]: status and output of a command that says yes.
login()
{
	local wanted=$1 what=$2
	shift 2
	on_host --retries 0 "$@" -c 'echo yes'
	is "$code $(out)" "$wanted" "$what" || printf '%s\n' "$(said)" | sed 's/^/# /'
}
in='0 yes' refused='255 '
says() { like "$(said)" "$1" 'which is said'; }

# --- is it the host? --------------------------------------------------------------------

key_of() { cut -d ' ' -f 1,2 "$tmp/$1.pub"; }
# knows [MARK] HOST KEY...: a line each of known_hosts.
knows()
{
	: > "$tmp/known"
	local line
	for line; do printf '%s\n' "$line" >> "$tmp/known"; done
}
here="[127.0.0.1]:$port"
new_key "$tmp/other"
knows
login "$refused" 'an unknown host key'
says 'is not known: SHA256:.*--accept-new'
login "$in" '--accept-new' --accept-new
says 'accepted and kept'
is "$(cat "$tmp/known")" "$here $(key_of host)" 'keeps it as ssh does'
login "$in" 'so that it is known'
is "$(wc -l < "$tmp/known")" 1 'and kept once'
login "$refused" 'another --known-hosts' --known-hosts "$tmp/none"
knows "$here $(key_of other)"
for accept in '' --accept-new; do
	# shellcheck disable=SC2086 # or none
	login "$refused" "a changed key is refused $accept" $accept
	says 'has CHANGED: it is now SHA256:.*ssh-keygen -R'
done
is "$(cat "$tmp/known")" "$here $(key_of other)" 'and not kept'
knows "$here $(key_of other)" "$here $(key_of host)"
login "$in" 'one of two'
for hosts in '*' "[127.0.0.?]:*" "!x,$here"; do
	knows "$here $(key_of host)" "@revoked $hosts $(key_of host)"
	login "$refused" "a revoked key ($hosts)" --accept-new
	says 'REVOKED'
done
knows "@revoked * $(key_of other)" "@revoked elsewhere $(key_of host)" \
	"$here $(key_of host)"
login "$in" 'another one is revoked'
ssh-keygen -q -H -f "$tmp/known" > /dev/null 2>&1
login "$in" 'hashed lines'
unlike "$(cat "$tmp/known")" 127 'which they are'
knows "127.0.0.1 $(key_of host)"
login "$refused" 'known at another port only'

ssh-keygen -q -t rsa -b 2048 -N '' -f "$tmp/rsa"
knows "$here $(key_of rsa)"
login "$refused" 'a key of another kind is known' --accept-new
says CHANGED
sshd_with "HostKey $tmp/rsa"
login "$in" 'and is asked for, where there is one'

new_key "$tmp/ca"
ssh-keygen -q -s "$tmp/ca" -I host -h -n 127.0.0.1 "$tmp/host.pub"
sshd_with "HostCertificate $tmp/host-cert.pub"
knows "@cert-authority * $(key_of ca)"
login "$refused" 'a host certificate'
says 'certificates are not understood.*the key itself'
knows "@cert-authority * $(key_of ca)" "$here $(key_of host)"
login "$in" 'beside the key itself'
sshd_with

cp "$tmp/ssh_config" "$tmp/ssh_config.good"
# config LINE...: of "h", before all others.
config()
{
	{
		printf '%s\n' 'Host h' "$@"
		sed 1d "$tmp/ssh_config.good"
	} > "$tmp/ssh_config"
}
config 'HostKeyAlias web'
login "$refused" 'HostKeyAlias'
knows "web $(key_of host)"
login "$in" 'is known without a port'
knows
login "$in" 'and learnt so' --accept-new
is "$(cat "$tmp/known")" "web $(key_of host)" 'as ssh does'
knows
config "UserKnownHostsFile $tmp/none $tmp/known" \
	"GlobalKnownHostsFile $tmp/global"
echo "$here $(key_of host)" > "$tmp/global"
login "$in" 'one of several files knows it'
echo "@revoked * $(key_of host)" > "$tmp/known"
login "$refused" 'and one revokes it'
knows "$here $(key_of host)"
config

# --- who are we? ------------------------------------------------------------------------

# keys LINE...: instead of the one that is always right.
keys()
{
	{
		printf '%s\n' 'Host h' "$@"
		sed -e 1d -e '/^Identit/d' "$tmp/ssh_config.good"
	} > "$tmp/ssh_config"
}
for n in 1 2 3 4 5 6 7 8; do new_key "$tmp/wrong$n"; done
new_key "$tmp/locked" 'a phrase'
cat "$tmp/locked.pub" >> "$tmp/authorized_keys"
secret() { (umask 077; printf '%s\n' "$1" > "$tmp/secret"); }
secret 'a phrase'

keys "IdentityFile $tmp/wrong1"
login "$refused" 'a wrong key'
says 'refuses the login of root.*IdentitiesOnly|refuses the login of root.*-i'
login "$in" '-i' -i "$tmp/key"
login "$refused" 'a file that is not there' -i "$tmp/none"
keys "IdentityFile $tmp/none" "IdentityFile $tmp/wrong1" "IdentityFile $tmp/key"
login "$in" 'the third of three'
SECONDS=0
# shellcheck disable=SC2046 # lines
keys $(printf "IdentityFile=$tmp/wrong%s " 1 2 3 4 5 6 7 8)
login "$refused" 'too many of them'
says 'Too many authentication failures.*IdentitiesOnly'
check 'at once' [ "$SECONDS" -lt 8 ]
keys "IdentityFile $tmp/locked"
login "$refused" 'a passphrase, and nobody to ask for it'
says 'key .*locked cannot be read, or its passphrase'
export VMEXEC_PASSWORD_FILE=$tmp/secret
login "$in" 'a passphrase from a file'
secret 'another'
login "$refused" 'a wrong one'
secret 'a phrase'
chmod 640 "$tmp/secret"
login "$refused" 'a file that others can read'
says 'holds a secret but group or others may access it.*chmod 600'
ln -s secret "$tmp/link"
chmod 600 "$tmp/secret"
VMEXEC_PASSWORD_FILE=$tmp/link login "$refused" 'a link'
VMEXEC_PASSWORD_FILE=$tmp/none login "$refused" 'none'
says 'none'
# Whom nobody asked for is not asked about.
keys "IdentityFile $tmp/locked" "IdentityFile $tmp/key"
secret 'another'
login "$in" 'a key without a passphrase comes first'
unlike "$(said)" passphrase 'and nothing is said'
unset VMEXEC_PASSWORD_FILE

eval "$(ssh-agent -s -a "$tmp/agent")" > /dev/null
kill_agent=$SSH_AGENT_PID
at_end "kill $kill_agent 2> /dev/null"
VMEXEC_ASK=x ssh-add -q "$tmp/key"
keys
login "$in" 'an agent'
ssh-add -q -D 2> /dev/null
SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=$tmp/askpass DISPLAY=x
export SSH_ASKPASS_REQUIRE SSH_ASKPASS DISPLAY
printf '#!/bin/sh\necho "a phrase"\n' > "$tmp/askpass"
chmod 755 "$tmp/askpass"
ssh-add -q "$tmp/locked" 2> /dev/null
unset SSH_ASKPASS_REQUIRE SSH_ASKPASS DISPLAY
keys "IdentityFile $tmp/locked"
login "$in" 'a key with a passphrase that the agent has'
unlike "$(said)" passphrase 'for which nobody is asked'
ssh-add -q "$tmp"/wrong[1-7] "$tmp/key"
ssh-add -q -d "$tmp/locked" 2> /dev/null
keys
login "$refused" 'an agent with too many keys'
says 'Too many authentication failures.*IdentitiesOnly'
keys "IdentityFile $tmp/key" 'IdentitiesOnly yes'
login "$in" 'IdentitiesOnly'
keys "IdentityFile $tmp/wrong1" 'IdentitiesOnly yes'
login "$refused" 'the agent is not asked then'
kill "$kill_agent"
until_true 10 [ ! -e "$tmp/agent" ]
keys "IdentityFile $tmp/key"
login "$in" 'an agent that is gone'
keys
login "$refused" 'and nothing else'
unset SSH_AUTH_SOCK SSH_AGENT_PID

sshd_with "TrustedUserCAKeys $tmp/ca.pub"
new_key "$tmp/certified"
keys "IdentityFile $tmp/certified"
login "$refused" 'a key that nobody knows'
ssh-keygen -q -s "$tmp/ca" -I me -n root "$tmp/certified.pub"
login "$in" 'with a certificate'
ssh-keygen -q -s "$tmp/ca" -I me -n vm "$tmp/certified.pub"
login "$refused" 'for somebody else'
login "$in" 'who he is' -l vm
ssh-keygen -q -s "$tmp/ca" -I me -n root -V 20200101:20200102 \
	"$tmp/certified.pub"
login "$refused" 'that is over'

# --- passwords --------------------------------------------------------------------------

keys
sed "s|^vm:[^:]*|vm:$(openssl passwd -6 'pass word')|" /etc/shadow \
	> "$tmp/shadow"
cat "$tmp/shadow" > /etc/shadow
sshd_with 'PasswordAuthentication yes'
secret 'pass word'
login "$refused" 'a password, and nobody to ask for it' -l vm
VMEXEC_PASSWORD_FILE=$tmp/secret login "$in" 'from a file' -l vm
secret 'wrong'
VMEXEC_PASSWORD_FILE=$tmp/secret login "$refused" 'a wrong one' -l vm
says 'refuses the login of vm'
is "$(grep -c 'Failed password for vm' "$tmp/sshd.log")" 1 \
	'is tried once, or the account may be locked'
secret 'pass word'
if [ -d /etc/pam.d ]; then
	printf '%s required %s\n' auth pam_unix.so account pam_unix.so \
		session pam_permit.so > "$tmp/pam"
	[ -e /etc/pam.d/sshd ] || skip 'keyboard-interactive' 'no pam.d/sshd'
	own_file /etc/pam.d/sshd
	cat "$tmp/pam" > /etc/pam.d/sshd
	sshd_with 'UsePAM yes' 'KbdInteractiveAuthentication yes'
	VMEXEC_PASSWORD_FILE=$tmp/secret login "$in" 'keyboard-interactive' -l vm
	secret 'wrong'
	VMEXEC_PASSWORD_FILE=$tmp/secret login "$refused" 'a wrong answer' -l vm
	secret 'pass word'
else
	skip 'keyboard-interactive' 'there is no PAM'
fi
sshd_with 'PasswordAuthentication yes' \
	'AuthenticationMethods publickey,password'
VMEXEC_PASSWORD_FILE=$tmp/secret login "$in" 'first a key, then a password' \
	-l vm -i "$tmp/key"
VMEXEC_PASSWORD_FILE=$tmp/secret login "$refused" 'not without the key' -l vm

# --- who may come -----------------------------------------------------------------------

config
sshd_with 'AllowUsers vm'
login "$refused" 'AllowUsers names somebody else'
says 'refuses the login of root.*AllowUsers'
login "$in" 'who may come' -l vm
login "$refused" 'who does not exist' -l nosuchuser
sshd_with 'PermitRootLogin no'
login "$refused" 'PermitRootLogin no'
sshd_with 'PubkeyAuthentication no'
login "$refused" 'no keys at all'
sshd_with 'MaxSessions 0'
login '254 ' 'MaxSessions 0'
says 'lets nobody run a program now.*MaxSessions'
unlike "$(said)" 'goes on' 'and no job is said to go on'
on_host --retries 0 --list
is "$code $(out)" '254 ' 'no list'
sshd_with 'MaxSessions 1'
login "$in" 'MaxSessions 1'
sshd_with 'MaxStartups 1:100:1'
# Who was there before may not have left yet.
stand_in_the_door()
{
	exec {door}<> "/dev/tcp/127.0.0.1/$port"
	read -r -t 10 -u "$door" line
	[[ $line == SSH-2.0* ]] || exec {door}>&-
	[[ $line == SSH-2.0* ]]
}
until_true 10 stand_in_the_door
like "$line" '^SSH-2.0' 'MaxStartups: somebody stands in the door'
timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --retries 50 --delay 1 h \
	-c 'echo yes' > "$tmp/out" 2> "$tmp/err" < /dev/null {door}>&- &
pid=$!
check 'and the next one is told to try again' until_true 20 \
	grep -q 'warning: h: 127.0.0.1 has closed the connection' "$tmp/err"
exec {door}>&-
wait "$pid"
is "$? $(out)" "$in" 'until there is room'

nobody_left
finish
