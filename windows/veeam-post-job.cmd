@echo off
rem SPDX-License-Identifier: MIT
rem "Run the following script after the job", where no .exe may run: gives the
rem lock of this job back. An argument is the job's name, as before the job;
rem without it PowerShell is asked which job this is.
rem No "call": its exit code is ours.
"%~dp0veeam-ssh.cmd" unlock %1
