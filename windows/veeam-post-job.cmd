@echo off
rem SPDX-License-Identifier: MIT
rem "Run the following script after the job", where no .exe may run: gives the
rem lock of this job back. Needs no arguments and takes none.
rem No "call": its exit code is ours.
"%~dp0veeam-ssh.cmd" unlock
