"""The manual: nothing that the program has is missing from it. What there is, the program itself tells, or its
tables in the source."""

import json
import re
import subprocess
import unittest

from harness import BINARY, ROOT

PROGRAM = ROOT / "daemon/hostk8s-registryd.1"
CONFIGURATION = ROOT / "config/registryd.yaml.5"


def said(*command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return result.stdout + result.stderr


def source(file, pattern):
    """What the pattern finds; a table that has moved is found to be empty."""
    found = re.findall(pattern, (ROOT / file).read_text())
    assert found, (file, pattern)
    return found


def keys_of(schema, path=""):
    """What can be set: dotted paths, each with its schema."""
    for part in (schema, schema.get("items", {}), *schema.get("items", {}).get("anyOf", [])):
        for key, below in part.get("properties", {}).items():
            if "properties" not in below:
                yield path + key, below
            yield from keys_of(below, f"{path}{key}.")


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = PROGRAM.read_text()
        cls.example = (ROOT / "config/registryd.yaml").read_text()
        cls.help = said(BINARY, "--help")

    def item(self, page, macro, name):
        """The line of the item, which has a text; items that stand together have one."""
        found = re.search(rf"^(\.It {macro} {re.escape(name)}(?: .*)?)\n(?:\.It .*\n)*(?!\.It|\.El|\.Bl).", page, re.M)
        self.assertIsNotNone(found, f"no item .It {macro} {name} that has a text")
        return found[1]

    def test_lint_is_silent(self):
        for page in (PROGRAM, CONFIGURATION):
            self.assertEqual(said("mandoc", "-T", "lint", str(page)), "")

    def test_commands(self):
        commands, _ = self.help.split("\nOptions:\n")
        for command in re.findall(r"(?m)^  (\w+) ", commands):
            with self.subTest(command=command):
                self.item(self.program, "Cm", command)

    def test_options(self):
        """Each, and at each command that takes it."""
        options = re.findall(r"(?m)^ *(?:-(\w), )? *--([\w-]+) .*?\s{2,}(?:([a-z, ]+): )?", self.help)
        self.assertIn("timeout", [name for _, name, _ in options])
        for letter, name, commands in options:
            with self.subTest(option=name):
                self.assertRegex(self.program, rf"(?m)^\.It Fl {f'{letter}.* , Fl ' if letter else ''}-{name}\b")
                for command in re.findall(r"\w+", commands):
                    self.assertIn(f"Fl -{name}", self.item(self.program, "Cm", command))

    def test_reasons(self):
        for reason in source("lib/kinds/condition.c", r'\[REASON_\w+\] = \{"(\w+)"'):
            with self.subTest(reason=reason):
                self.item(self.program, "Dv", reason)

    def test_what_other_programs_see(self):
        """Signals, the journal's fields and events, the environment, exit statuses."""
        (signals,) = source("daemon/command_run.c", r"signal_numbers\[\] = \{(.*)\}")
        for name in re.findall(r"SIG\w+", signals):
            self.assertRegex(self.program, rf"(?m)^\.It Dv (\w+ , )?{name}\b")
        for field in source("daemon/journal.c", r'"(HOSTK8S_\w+|MESSAGE_ID)"'):
            self.item(self.program, "Va", field)
        for event in source("daemon/journal.c", r'"([0-9a-f]{32})"'):
            self.assertIn(f".It {event} Ta ", self.program)
        for status in source("daemon/commands.h", r"EXIT_\w+ = (\d+)"):
            self.assertRegex(self.program, rf"(?m)^\.It {status}\n")
        for file in [*(ROOT / "daemon").glob("*.c"), *(ROOT / "lib").rglob("*.c")]:
            for variable in re.findall(r'(?:getenv\(|->get\([^"]*, )"(\w+)"', file.read_text()):
                self.assertRegex(self.program, rf"(?m)^\.It Ev .*\b{variable}\b", file.name)

    def test_keys(self):
        page = CONFIGURATION.read_text()
        keys = dict(keys_of(json.loads(said(BINARY, "check", "--schema"))))
        self.assertIn("reconcile.backoff.max", keys)
        for key, schema in keys.items():
            with self.subTest(key=key):
                item = self.item(page, "Ic", key)
                default = schema.get("default", "")
                text = default if isinstance(default, str) else json.dumps(default).strip('"[]')
                self.assertEqual(item.partition(" : Cm ")[2], text)
                self.assertRegex(self.example, rf"(?m)^[ #]*{key.split('.')[-1]}:")

    def test_readme(self):
        """For somebody who has five minutes; what it leads to is there."""
        text = (ROOT / "README.md").read_text()
        self.assertLessEqual(len(text.splitlines()), 150)
        for target in re.findall(r"\]\(([^)]+)\)", text):
            self.assertTrue("://" in target or (ROOT / target).exists(), target)
        for command in re.findall(r"`(?:hostk8s-registryd|…) (\w+)", text):
            self.assertRegex(self.program, rf"(?m)^\.It Cm {command}\b")


if __name__ == "__main__":
    unittest.main()
