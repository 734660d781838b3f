@echo off
rem SPDX-License-Identifier: MIT
rem
rem Called by veeam-pre-job.cmd and veeam-post-job.cmd with "lock" or "unlock",
rem and the name of the job, if there is one.
rem Settings: veeam-lock.ini beside this file. Log: veeam-lock.log, there too.
rem Exit code: 0 done, 1 failed, 2 refused, 3 settings wrong, 75 gave up.
rem
rem What comes from outside, the ids and the name, is looked at letter by letter
rem before it stands in a command; so are host, user and port of the settings.
rem The rest of them are paths, which only administrators can write.
setlocal EnableExtensions DisableDelayedExpansion
chcp 65001 >nul 2>nul
set "what=%~1"
set "job=%~2"
set "run="
set "here=%~dp0"
set "log=%here%veeam-lock.log"
set "system=%SystemRoot%\System32"
set "letters=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
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
rem Without quotes they can stand between quotes; and without the blanks behind.
if defined host set "host=%host:"=%"
if defined user set "user=%user:"=%"
if defined port set "port=%port:"=%"
for /f "tokens=1" %%a in ("%host%") do set "host=%%a"
for /f "tokens=1" %%a in ("%user%") do set "user=%%a"
for /f "tokens=1" %%a in ("%port%") do set "port=%%a"
if not defined host (
	call :say "veeam-lock.ini names no host"
	exit /b 3
)
rem A letter in front: what begins with a semicolon would be passed over.
set "wrong="
for /f "delims=%letters%.:_-" %%x in ("a%host%") do set "wrong=host"
for /f "delims=%letters%._-" %%x in ("a%user%") do set "wrong=user"
for /f "delims=0123456789" %%x in ("0%port%") do set "wrong=port"
if "%host:~0,1%"=="-" set "wrong=host"
if "%user:~0,1%"=="-" set "wrong=user"
if not defined user set "wrong=user"
if not defined port set "wrong=port"
if defined wrong (
	call :say "veeam-lock.ini: what stands there is no %wrong%"
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

if defined job goto named
for /f "usebackq tokens=1,2" %%a in (`%system%\WindowsPowerShell\v1.0\powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%here%veeam-ids.ps1"`) do (
	set "job=%%a"
	set "run=%%b"
)
rem Without its quotes it can stand between quotes; then: has it any letter that
rem no id has?
if defined job set "job=%job:"=%"
if defined run set "run=%run:"=%"
for /f "delims=0123456789abcdef-" %%x in ("a%job%") do set "job="
for /f "delims=0123456789abcdef-" %%x in ("a%run%") do set "run="
goto asked

:named
set "job=%job:"=%"
for /f "delims=%letters%._-{}" %%x in ("a%job%") do set "wrong=job"
if defined wrong (
	call :say "a job's name here has letters, digits, . _ - and no blanks"
	exit /b 2
)

:asked
if "%what%"=="lock" (set "remote=veeam-lock --remote") else set "remote=veeam-unlock"
if defined job set "remote=%remote% --job %job%"
if defined run set "remote=%remote% --run %run%"
if not defined job call :say "no job found above this script, all such jobs share one lock: give this script a name"

rem Names relative to here: ssh takes a list with blanks apart. The output goes
rem to a file of its own, since another job may be writing the log; the input
rem comes from an empty one: ssh.exe of Windows Server 2019 hangs with NUL.
set "out=%here%veeam-%RANDOM%%RANDOM%.tmp"
cd . > "%here%veeam-empty" 2>nul
cd . > "%out%" 2>nul
if not exist "%out%" (
	call :say "this account cannot write beside veeam-ssh.cmd: grant it that, or use veeam-lock.exe"
	exit /b 3
)
pushd "%here%"
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
