# SPDX-License-Identifier: MIT
"""A case and its checks, as TAP lines."""

CASES = []


def case(name, always=False):
    """Registers a case, in the order of their definition.  always: others
    rest on it, it is also run when only some are asked for."""
    def register(function):
        CASES.append((name, function, always))
        return function
    return register


class Case:
    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.first = {}

    def ok(self, good, what, detail=""):
        if good:
            self.passed += 1
            print(f"ok - {self.name}: {what}", flush=True)
            return True
        self.failed += 1
        print(f"not ok - {self.name}: {what}")
        for line in str(detail).splitlines()[:80]:
            print(f"#   {line[:500]}")
        print(end="", flush=True)
        return False

    def equal(self, got, wanted, what, detail=""):
        return self.ok(got == wanted, what,
                       f"got:    {got}\nwanted: {wanted}\n{detail}")

    def has(self, text, part, what):
        return self.ok(part in text, what, f"wanted: {part}\n in:\n{text}")

    def skip(self, what, why):
        self.skipped += 1
        print(f"ok - {self.name}: {what} # SKIP {why}", flush=True)

    def note(self, text):
        print(f"# {self.name}: {text}", flush=True)
