"""The completions, in the shells that they are for: whatever --help has is offered where it can stand, and the
resources that the daemon has."""

import pathlib
import re
import shlex
import shutil
import subprocess

from harness import BINARY, ROOT, MachineTest, Terminal

DIRECTORY = ROOT / "daemon/completions"
NAME = "hostk8s-registryd"
LEVELS = {"debug", "info", "notice", "warning", "error"}
# Every candidate is shown between marks, in no colour and without asking whether to list them all.
ZSH = f"""
PS1='READY> '
autoload -Uz compinit
fpath=({DIRECTORY} $fpath)
compinit -D
zstyle ':completion:*' list-colors 'no=<' 'fi=<' 'lc=' 'rc=' 'ec=>'
zstyle ':completion:*' format ''
LISTMAX=10000
unsetopt menu_complete auto_menu list_ambiguous beep
list() {{ zle list-choices; zle -R; print -n LISTED }}
zle -N list
bindkey '^I' list
"""


class Bash:
    def __init__(self, test):
        self.environment = test.environment

    def complete(self, *words):
        line = " ".join(shlex.quote(word) for word in (NAME, *words))
        script = (
            f"source {DIRECTORY}/{NAME}.bash; complete -p {NAME} >/dev/null || exit; COMP_WORDS=({line}) "
            f'COMP_CWORD={len(words)}; _hostk8s_registryd; printf "%s\\n" "${{COMPREPLY[@]}}"'
        )
        return run(["bash", "--norc", "-c", script], self.environment)


class Fish:
    def __init__(self, test):
        self.environment = test.environment | {"TERM": "dumb"}

    def complete(self, *words):
        line = " ".join((NAME, *words))
        script = f"source {DIRECTORY}/{NAME}.fish; complete -C {shlex.quote(line)}"
        return {line.split("\t")[0] for line in run(["fish", "--no-config", "-c", script], self.environment)}


class Zsh:
    def __init__(self, test):
        home = pathlib.Path(test.home)
        (home / ".zshrc").write_text(ZSH)
        environment = test.environment | {"ZDOTDIR": str(home), "TERM": "xterm"}
        self.terminal = Terminal(test, ["zsh", "-d", "-i"], environment)
        self.terminal.wait("READY> ")

    def complete(self, *words):
        since = len(self.terminal.shown)
        self.terminal.type(" ".join((NAME, *words)) + "\t")
        found = self.terminal.wait(r"(?s)(.*)LISTED", since)
        since = len(self.terminal.shown)
        self.terminal.type("\x15\r")  # the line is not run
        self.terminal.wait("READY> ", since)
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", found[1])
        return {word.split()[0] for word in re.findall(r"<([^<>]+)>", text)}


def run(command, environment):
    result = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0 and not result.stderr, (command, result)
    return {line for line in result.stdout.splitlines() if line}


class Completions(MachineTest):
    def setUp(self):
        super().setUp()
        programs = self.home / "bin"
        programs.mkdir()
        (programs / NAME).symlink_to(BINARY)
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"
        self.help = self.run_program("--help", config=False).stdout
        self.commands = re.findall(r"(?m)^  (\w+) ", self.help.partition("\nOptions:\n")[0])
        for shell in ("bash", "zsh", "fish"):
            self.assertIsNotNone(shutil.which(shell), shell)

    def test_commands(self):
        for shell in (Bash(self), Zsh(self), Fish(self)):
            self.assertLessEqual(set(self.commands), shell.complete(""), shell)
            self.assertIn("apply", shell.complete("ap"))
            self.assertNotIn("plan", shell.complete("ap"))
            self.assertEqual(set(self.commands) & shell.complete("check", ""), set())

    def test_options(self):
        """Each where --help says that it can stand, and nowhere else."""
        rows = re.findall(r"(?m)^ *(?:-(\w), )? *--([\w-]+) .*?\s{2,}(?:([a-z, ]+): )?", self.help)
        self.assertIn("json", [name for _, name, _ in rows])
        for shell in (Bash(self), Zsh(self), Fish(self)):
            for command in self.commands:
                offered = shell.complete(command, "--")
                for _, name, commands in rows:
                    good = not commands or command in re.findall(r"\w+", commands)
                    self.assertEqual(f"--{name}" in offered, good, (type(shell), command, name, offered))

    def test_levels(self):
        for shell in (Bash(self), Zsh(self), Fish(self)):
            self.assertEqual(shell.complete("-l", ""), LEVELS)
            self.assertEqual(shell.complete("--log-level", "d"), {"debug"})

    def test_files(self):
        for shell in (Bash(self), Zsh(self), Fish(self)):
            self.assertIn("registryd.yaml", {pathlib.Path(name).name for name in shell.complete("-c", f"{self.home}/re")})

    def test_resources(self):
        daemon = self.converged_daemon()
        resources = {entry["resource"] for entry in daemon.status()["resources"]}
        for shell in (Bash(self), Zsh(self), Fish(self)):
            offered = shell.complete("-c", str(self.config_file), "status", "")
            self.assertEqual(offered & resources, resources)
            self.assertEqual(shell.complete("-c", str(self.config_file), "plan", "") & resources, set())
        self.assertEqual(daemon.stop(), 0)
        for shell in (Bash(self), Zsh(self), Fish(self)):
            self.assertEqual(shell.complete("-c", str(self.config_file), "status", "") & resources, set())
