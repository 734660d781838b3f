@echo off
rem SPDX-License-Identifier: MIT
rem "Run the following script before the job", where no .exe may run: asks the
rem backup server for the lock of this job. An argument is the job's name;
rem without it PowerShell is asked which job this is.
rem No "call": its exit code is ours.
"%~dp0veeam-ssh.cmd" lock %1
