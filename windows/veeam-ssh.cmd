@echo off
rem SPDX-License-Identifier: MIT
rem
rem Called by veeam-pre-job.cmd and veeam-post-job.cmd with "lock" or "unlock".
rem Settings: veeam-lock.ini beside this file. Log: veeam-lock.log, there too.
rem Exit code: 0 done, 1 failed, 2 refused, 3 settings wrong, 75 gave up.
rem
rem No text from outside stands in a command unquoted: the ids come from
rem veeam-ids.ps1 and are looked at letter by letter; the rest stands in the
rem settings, which only administrators can write.
setlocal EnableExtensions DisableDelayedExpansion
chcp 65001 >nul 2>nul
set "what=%~1"
set "here=%~dp0"
set "log=%here%veeam-lock.log"
set "system=%SystemRoot%\System32"
set "host="
set "user=root"
set "port=22"
set "key=id_ed25519"
set "known=known_hosts"
set "ssh=%system%\OpenSSH\ssh.exe"

if not exist "%here%veeam-lock.ini" (
	call :say "veeam-lock.ini is missing"
	exit /b 3
)
for /f "usebackq eol=# tokens=1,* delims== " %%a in ("%here%veeam-lock.ini") do (
	if "%%a"=="host" set "host=%%b"
	if "%%a"=="user" set "user=%%b"
	if "%%a"=="port" set "port=%%b"
	if "%%a"=="key" set "key=%%b"
	if "%%a"=="known-hosts" set "known=%%b"
	if "%%a"=="ssh" set "ssh=%%b"
	if "%%a"=="log" set "log=%%b"
)
if not defined host (
	call :say "veeam-lock.ini names no host"
	exit /b 3
)
if not "%known%"=="%known: =%" (
	call :say "known-hosts must be a name without blanks, beside the .cmd"
	exit /b 3
)
if not exist "%ssh%" (
	call :say "ssh.exe is not there: install the OpenSSH client of Windows"
	exit /b 3
)

set "job="
set "run="
for /f "usebackq tokens=1,2" %%a in (`%system%\WindowsPowerShell\v1.0\powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%here%veeam-ids.ps1"`) do (
	set "job=%%a"
	set "run=%%b"
)
rem Without its quotes it can stand between quotes; then: has it any letter that
rem no id has? (The first letter is ours: what begins with a semicolon would be
rem passed over.)
if defined job set "job=%job:"=%"
if defined run set "run=%run:"=%"
for /f "delims=0123456789abcdef-" %%x in ("a%job%") do set "job="
for /f "delims=0123456789abcdef-" %%x in ("a%run%") do set "run="

if "%what%"=="lock" (set "remote=veeam-lock --remote") else set "remote=veeam-unlock"
if defined job set "remote=%remote% --job %job%"
if defined run set "remote=%remote% --run %run%"
if not defined job call :say "no job found above this script, using the common lock"

rem An empty file: ssh.exe of Windows Server 2019 hangs when it reads from NUL.
rem Names relative to here: ssh takes a list with blanks apart. The output goes
rem to a file of its own, since another job may be writing the log.
pushd "%here%"
set "out=%here%veeam-%RANDOM%%RANDOM%.tmp"
if not exist "%here%veeam-empty" type nul > "%here%veeam-empty"
call :say "asking %host%: %remote%"
"%ssh%" -F none -T -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o ClearAllForwardings=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o "UserKnownHostsFile=%known%" -i "%key%" -p "%port%" -l "%user%" "%host%" "%remote%" < "%here%veeam-empty" > "%out%" 2>&1
set "code=%errorlevel%"
popd
type "%out%"
type "%out%" >> "%log%"
del "%out%"

set "result=1"
for %%c in (0 1 2 3 75) do if "%code%"=="%%c" set "result=%%c"
if "%code%"=="255" call :say "ssh could not log in: network, sshd, known_hosts, the key and who may read it, authorized_keys"
call :say "veeam-%what%: ssh ended with %code%, exit code %result%"
if not "%result%"=="0" "%system%\eventcreate.exe" /L APPLICATION /T ERROR /SO asbackup /ID 3 /D "veeam-%what% %remote%: exit code %result%, see %log%" >nul 2>nul
exit /b %result%

:say
echo %~1
>> "%log%" echo %DATE% %TIME% veeam-%what%: %~1
exit /b 0
