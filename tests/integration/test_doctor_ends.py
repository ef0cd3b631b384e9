"""doctor: how it ends when it is told to, or when nothing answers; and what it runs in containers, in a real
shell."""

import json
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from harness import HELD, wait_until
from test_doctor import Doctor


class Ends(Doctor):
    def hold(self, match, part=None):
        """The next request that matches is carried out, but not answered until the fault is released. With
        part it is the start of a command that has it. Returns a list that the fault is in once there is one."""
        options = {"seconds": HELD, "carried_out": True}
        if part is None:
            return [self.engine.fault(match, "delay", **options)]
        held = []

        def before(request):
            if not held and re.search("POST .*/exec$", str(request)) and part in request.body:
                held.append(self.engine.fault("POST .*/exec/.*/start", "delay", **options))

        self.engine.before = before
        return held

    def interrupted(self, match, part, number):
        self.apply()
        held = self.hold(match, part)
        process = self.start("doctor")
        wait_until(lambda: held and held[0].hits, "the request")
        process.signal(number)
        process.wait_line("stopping, and taking back")
        return process, held[0]

    def test_a_signal_ends_it_and_takes_back(self):
        for match, part in (
            ("", b"crictl pull"),
            ("PATCH /v2/hostk8s-registryd/", None),
            ("PUT /v2/hostk8s-registryd/doctor/manifests/", None),
            ("GET .*/info$", None),
        ):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                with self.subTest(match=match, signal=number):
                    process, fault = self.interrupted(match, part, number)
                    if "GET" not in match:  # it is waited for
                        fault.released.set()
                    self.assertEqual(process.wait(), 1)
                    self.assertRegex(process.output, r"(?m)^interrupted: \d+ proved, 0 failed, \d+ skipped$")
                    self.assert_nothing_left()
                    self.fresh()

    def test_a_second_signal_does_not_wait(self):
        process, _ = self.interrupted("", b"crictl pull", signal.SIGINT)
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 1)
        self.assertRegex(process.output, r"(?m)^interrupted: ")

    def test_a_station_ends_in_its_time(self):
        self.apply()
        self.hold("", b"getent")
        found = self.assert_fault("name", "no answer within 15 s", "docker exec NODE true")
        slowest = max(station["ms"] for station in self.stations)
        self.assertTrue(15000 <= slowest < 1000 * HELD / 2, found)

    def test_timeout(self):
        self.apply()
        held = self.hold("", b"getent")
        result = self.run_program("doctor", "--timeout", "6s", status=1)
        self.assertEqual(len(held), 1)
        self.assertRegex(result.stdout, r"(?m)^skipped .* name hostk8s-control-plane: the time was up$")
        self.assertRegex(result.stdout, r"(?m)^ok .* clean-up: ")
        self.assertRegex(result.stdout, r"(?m)^timed out: \d+ proved, 0 failed, \d+ skipped$")
        self.assert_nothing_left()

    def test_json_tells_that_it_did_not_end(self):
        self.apply()
        self.hold("", b"getent")
        document = json.loads(self.run_program("doctor", "--json", "--timeout", "1s", status=1).stdout)
        self.assertFalse(document["complete"])

    def test_what_cannot_be_taken_back_is_told(self):
        self.apply()
        self.engine.fault("DELETE /v2/.*/manifests/", "status", code=500)
        refuse = self.engine.fault("POST .*/exec$", "status", times=0, code=500)

        def before(request):
            if b"crictl rmi" in request.body or b"repositories" in request.body:
                refuse.times = 1

        self.engine.before = before
        found = self.doctor(status=1)
        faults = [fault["cause"] for fault in found["clean-up"]["faults"]]
        self.assertEqual(len(faults), 3, faults)
        self.assertRegex(faults[0], "delete the manifest")
        self.assertRegex(faults[1], "may be left in the node hostk8s-control-plane: ")


class Scripts(Doctor):
    """What runs in containers, in a real shell."""

    def commands(self):
        self.apply()
        found = []

        def before(request):
            if request.text.endswith("/exec"):
                found.append(request.json()["Cmd"])

        self.engine.before = before
        self.doctor(status=0)
        return found

    def run_script(self, command, directory, tools):
        for name, text in tools.items():
            path = pathlib.Path(directory, name)
            path.write_text("#!/bin/sh\n" + text)
            path.chmod(0o755)
        environment = {"PATH": f"{directory}:/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    def test_in_a_node(self):
        crictl = 'printf "%s\\n" "$*" >> "$0.log"; [ "$1" != images ] || echo x:5000/hostk8s-registryd/doctor'
        for tool, pulls, removes in (
            ("crictl", "pull REF", "rmi"),
            ("ctr", "-n k8s.io images pull --hosts-dir /etc/containerd/certs.d REF", "-n k8s.io images rm"),
        ):
            commands = self.commands()
            pull = next(command for command in commands if "crictl pull" in command[2])
            clean = next(command for command in commands if "crictl rmi" in command[2])
            tag = clean[3]
            with tempfile.TemporaryDirectory() as directory:
                log = pathlib.Path(directory, f"{tool}.log")
                self.assertEqual(self.run_script(pull, directory, {tool: crictl}).returncode, 0)
                self.assertEqual(log.read_text(), pulls.replace("REF", pull[3]) + "\n")
                failing = self.run_script(pull, directory, {tool: "echo why >&2; echo resolving; exit 1"})
                self.assertEqual((failing.returncode, failing.stdout, failing.stderr), (1, "", "why\n"))
                self.assertEqual(self.run_script(clean, directory, {tool: crictl}).returncode, 0)
                self.assertIn(f"{removes} {' '.join(clean[4:])}\n", log.read_text())
                left = self.run_script(clean, directory, {tool: f"echo y:{tag} {tag} 1kB"})
                self.assertNotEqual(left.returncode, 0)

    def test_in_the_registry(self):
        command = next(command for command in self.commands() if "repositories" in command[2])
        own, other = (f"doctor/_manifests/tags/{tag}/current" for tag in (command[3], "other"))
        for before, after in (
            ([own, "doctor/_uploads/u"], []),
            (["doctor/_uploads/u"], []),
            ([own, other], [other]),
            ([own, "mine/_layers/l"], ["mine/_layers/l"]),
        ):
            with tempfile.TemporaryDirectory() as directory, self.subTest(before=before):
                top = pathlib.Path(directory, "docker/registry/v2/repositories/hostk8s-registryd")
                for name in before:
                    path = top / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("")
                words = [word.replace("/var/lib/registry", directory) for word in command]
                self.assertEqual(self.run_script(words, directory, {}).returncode, 0)
                left = [str(path.relative_to(top)) for path in sorted(top.rglob("*")) if path.is_file()]
                self.assertEqual(left, after)
                self.assertEqual(top.exists(), bool(after))


if __name__ == "__main__":
    unittest.main()
