# SPDX-License-Identifier: MIT
#
# Prints the ids of the job and of its run, "JOB RUN", as they stand in the
# command line of the Veeam process above us; nothing when there is none.
# Nothing in here needs more than the constrained language mode.
$guid = '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'
$id = $PID
for ($i = 0; $i -lt 9 -and $id; $i++) {
	$process = Get-CimInstance Win32_Process -Filter "ProcessId=$id"
	if (-not $process) { break }
	if ($process.Name -like 'Veeam.*') {
		$found = [regex]::Matches($process.CommandLine, $guid)
		if ($found.Count -ge 2) {
			$ids = $found[0].Value + ' ' + $found[1].Value
			$ids.ToLowerInvariant()
			break
		}
	}
	$id = $process.ParentProcessId
}
