@echo off
rem SPDX-License-Identifier: MIT
rem "Run the following script before the job", where no .exe may run: asks the
rem backup server for the lock of this job. Needs no arguments and takes none.
rem No "call": its exit code is ours.
"%~dp0veeam-ssh.cmd" lock
