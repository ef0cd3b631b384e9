"""What an engine, a node or a cluster says is never a path, a format, a command or a terminal's escape
sequence, and what the configuration says is no more than it says."""

import io
import json
import signal
import tarfile
import unittest

from harness import (
    CONTAINER,
    CONTROL_PLANE,
    DEPLOYMENT,
    DEPLOYMENT_LIST,
    REGISTRY,
    RESOURCES,
    WORKER,
    MachineTest,
    wait_until,
)
from http_server import Response, reply

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\nREADY=1\nSTATUS=owned\x7f"
HOSTILE = ["../../x", "..", "%s%s%n%p", ESCAPES, "a\nb", "$(touch owned)", "`touch owned`", "; touch owned", "x" * 300]
CERTS = "/etc/containerd/certs.d"
MARK = "# managed by hostk8s-registryd"


class HostileTest(MachineTest):
    def setUp(self):
        super().setUp()
        self.texts = []

    def tearDown(self):
        super().tearDown()
        self.texts += self.notify.messages
        for text in self.texts:
            odd = [c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0]
            self.assertEqual(odd, [], repr(text[:2000]))
            self.assertNotRegex(text, r"(?m)^STATUS=owned|^READY=1\nREADY=1")
        self.assertEqual(list(self.home.rglob("*owned*")), [])

    def run_program(self, *arguments, **options):
        result = super().run_program(*arguments, cwd=self.home, **options)
        self.texts += [result.stdout, result.stderr]
        return result

    def watch(self, daemon):
        """What the daemon has said so far."""
        self.texts.append(daemon.output)
        for entry in daemon.status()["resources"]:
            self.texts += entry.values()
        for command in (["status"], ["plan"], ["plan", "--json"]):
            self.run_program("-l", "debug", *command)


class Names(HostileTest):
    def test_of_nodes_and_clusters(self):
        """Nothing of such a name is a node, and no request is made for it."""
        self.configure(clusters=["*"])
        odd = [self.engine.add_node(name, "hostk8s", role="worker") for name in HOSTILE]
        odd += [self.engine.add_node("odd", name, api_port=self.kube.port) for name in HOSTILE]
        daemon = self.converged_daemon("-l", "debug")
        self.watch(daemon)
        self.run_program("apply", status=0)
        for request in self.engine.requests:
            for node in odd:
                self.assertNotIn(node.id, request.target)
        self.assertEqual([e["resource"] for e in daemon.status()["resources"] if "odd" in e["resource"]], [])

    def test_of_objects(self):
        """An API server has no such objects: its answer is no good, and changes nothing."""
        daemon = self.converged_daemon("-l", "debug")
        for name in HOSTILE:
            with self.subTest(name=name):
                items = [{"metadata": {"name": name, "namespace": "hostk8s", "labels": {"a": ESCAPES}}}]
                self.kube.fault(DEPLOYMENT_LIST, "shape", times=None, body={"kind": "DeploymentList", "items": items})
                before = self.kube.mark()
                daemon.signal(signal.SIGUSR1)
                daemon.wait_reason(DEPLOYMENT, "Error", "an object of kind Deployment without a valid name")
                self.assertEqual(self.kube.writes(before), [])
                self.kube.clear_faults()
                daemon.signal(signal.SIGUSR1)
                daemon.wait_converged()
        self.watch(daemon)

    def test_of_directories_in_a_node(self):
        """containerd looks into none of them, and the program neither, whatever stands there."""
        odd = [f"{CERTS}/{name}/hosts.toml" for name in HOSTILE[2:6] + ["with space", "ümlaut", "a;b:5000"]]
        old = f"{CERTS}/old.example:80/hosts.toml"  # an alias of before
        for path in [*odd, old]:
            self.worker.tree.write(path, MARK + "\n")
        daemon = self.converged_daemon("-l", "debug")
        self.assertEqual([path for path in [*odd, old] if path not in self.worker.tree.files], [old])
        self.watch(daemon)


class Texts(HostileTest):
    def test_of_a_container(self):
        self.converged_daemon().stop()
        container = self.registry()
        container.spec["Image"] = f"registry:{ESCAPES}"
        container.spec["HostConfig"]["PortBindings"]["5000/tcp"][0]["HostIp"] = ESCAPES
        container.spec["Labels"]["io.hostk8s.registryd.owner"] = ESCAPES
        container.spec["Labels"]["io.hostk8s.registryd.environment"] = ESCAPES
        container.spec["Env"].append(f"REGISTRY_STORAGE_DELETE_ENABLED={ESCAPES}")
        result = self.run_program("plan", status=2)
        self.assertIn("?[2J?]0;owned?", result.stdout)
        result = self.run_program("plan", "--json", status=2)
        change = next(c for c in json.loads(result.stdout)["changes"] if c["resource"] == CONTAINER)
        for field in change["fields"]:
            self.texts += [text for text in field.values() if text is not None]
        self.assertIn("?[2J?]0;owned?", self.apply().stdout)

    def test_of_an_engine(self):
        for form in (ESCAPES, "%s%s%n%p", f"<html>{ESCAPES}"):
            body = {"message": form} if form[0] != "<" else form
            self.engine.fault("POST .*/containers/create", "status", times=None, code=400, body=body)
            daemon = self.daemon("-l", "debug")
            daemon.wait_reason(CONTAINER, "Error")
            self.watch(daemon)
            self.assertEqual(daemon.stop(), 0)
            self.engine.clear_faults()

    def test_of_a_start(self):
        daemon = self.converged_daemon("-l", "debug")
        self.engine.images["bad:1"] = "unstartable"
        self.engine.start_error = f"%s%n {ESCAPES}"
        self.configure(registry={"image": "bad:1"})
        daemon.signal(signal.SIGHUP)
        daemon.wait_reason(CONTAINER, "Error", r"%s%n \?\[2J")
        self.watch(daemon)

    def test_of_a_pull(self):
        line = {"status": ESCAPES, "id": ESCAPES, "progressDetail": {"current": 1, "total": -1}}
        body = {"errorDetail": {"message": f"%s%n {ESCAPES}"}}
        chunks = [json.dumps(line).encode() + b"\n"] * 10 + [json.dumps(body).encode()]
        self.engine.fault("POST .*/images/create", "answer", times=None, response=Response(200, chunks=chunks))
        daemon = self.daemon("-l", "debug")
        daemon.wait_reason(CONTAINER, "ImagePullFailed", r"%s%n \?\[2J")
        self.watch(daemon)

    def test_of_objects(self):
        self.converged_daemon().stop()

        def change(document):
            document["spec"]["template"]["spec"]["containers"][0]["image"] = f"%s%n {ESCAPES}"
            document["metadata"]["labels"]["app.kubernetes.io/name"] = ESCAPES
            owned = document["metadata"]["managedFields"][0]["fieldsV1"]
            owned.setdefault("f:spec", {})[f"f:{ESCAPES}"] = {}
            document["spec"][ESCAPES] = ESCAPES

        self.kube.change("deployments", "registry-ui", change)
        for arguments in (["plan"], ["plan", "--json"], ["-l", "debug", "plan"]):
            self.assertIn(DEPLOYMENT, self.run_program(*arguments, status=2).stdout)
        daemon = self.daemon("-l", "debug")
        template = ("deployments", "registry-ui")
        wait_until(lambda: "owned" not in str(self.kube.get(*template)["spec"]["template"]), "mended")
        self.watch(daemon)

    def test_of_pods(self):
        self.kube.ready = False
        waiting = {"reason": ESCAPES, "message": f"%s%n {ESCAPES}"}
        status = {"containerStatuses": [{"ready": False, "state": {"waiting": waiting}}]}
        labels = {"app.kubernetes.io/managed-by": "hostk8s-registryd"}
        self.kube.add("pods", "hostk8s", "registry-ui-1", {"metadata": {"labels": labels}, "status": status})
        daemon = self.daemon("-l", "debug")
        daemon.wait_reason(DEPLOYMENT, "Unavailable", "%s%n ")
        self.watch(daemon)

    def test_of_a_file_in_a_node(self):
        self.apply()
        alias = f"localhost:{self.port}"
        self.worker.tree.write(f"{CERTS}/{alias}/hosts.toml", f"{MARK}\nserver = {ESCAPES}\n%s%n\n")
        result = self.run_program("plan", status=2)
        self.assertRegex(result.stdout, rf"(?m)^{WORKER}: write")
        self.run_program("plan", "--json", status=2)
        self.apply()

    def test_of_the_configuration(self):
        """Its own name and its own words are not trusted either: one may look at somebody else's."""
        odd = self.home / f"odd{ESCAPES.replace('/', '')}.yaml"
        odd.write_text(f'"{ESCAPES.encode("unicode_escape").decode()}": 1\nui: {{title: 2, "a\\eb": 3}}\n')
        self.config_file = odd
        self.run_program("check", status=78)
        self.run_program("run", status=78)
        odd.write_text(json.dumps(self.config))
        daemon = self.daemon("-l", "debug")
        odd.write_text("registry: 1\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_line("reload failed")
        self.texts.append(daemon.output)
        odd.unlink()


class Answers(HostileTest):
    def assert_error_then_converged(self, daemon, resource, message, server):
        daemon.wait_reason(resource, "Error", message)
        self.watch(daemon)
        server.clear_faults()
        daemon.wait_converged()

    def test_deep_nesting(self):
        deep = Response(200, b'{"a":' * 200_000, {"Content-Type": "application/json"})
        lists = Response(200, b"[" * 200_000 + b"]" * 200_000, {"Content-Type": "application/json"})
        daemon = self.converged_daemon("-l", "debug")
        for response in (deep, lists):
            for match in (r"GET .*/containers/json\?", f"GET .*/{self.registry().id}/json"):
                self.engine.fault(match, "answer", times=None, response=response)
                self.assert_error_then_converged(daemon, CONTAINER, "the answer is no JSON", self.engine)
            self.kube.fault(DEPLOYMENT_LIST, "answer", times=None, response=response)
            self.assert_error_then_converged(daemon, DEPLOYMENT, "the answer is no JSON object", self.kube)
        before = self.engine.mark()
        for stream in self.engine.streams:
            stream.lines.put(b"[" * 200_000 + b"\n")
        self.engine.wait("GET .*/events", since=before, answered=True)
        daemon.wait_converged()

    def tar(self, *members):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, kind, target, data in members:
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.size = kind, target, len(data)
                tar.addfile(member, io.BytesIO(data))
        return Response(200, out.getvalue(), {"Content-Type": "application/x-tar"})

    def fault_tree(self, *members):
        config = ("containerd/config.toml", tarfile.REGTYPE, "", self.worker.tree.files["/etc/containerd/config.toml"])
        match = f"GET .*/{self.worker.id}/archive.*/etc/containerd$"
        return self.engine.fault(match, "answer", times=None, response=self.tar(config, *members))

    def test_tar_with_paths_that_lead_elsewhere(self):
        daemon = self.daemon("-l", "debug")
        path = "/etc/containerd/config.toml"
        for name in ("../../etc/passwd", "/etc/passwd", "containerd/../../x", "containerd/certs.d/../../x/hosts.toml"):
            with self.subTest(name=name):
                daemon.wait_converged()
                self.fault_tree((name, tarfile.REGTYPE, "", MARK.encode()))
                self.worker.tree.write(path, self.worker.tree.text(path))  # so that the files are read again
                daemon.wait_reason(WORKER, "Error", "tar: a path is absolute, empty, too long or has a .. in it")
                self.watch(daemon)
                self.engine.clear_faults()

    def fault_entry(self, path, kind):
        """The worker's tree with something else in the place of the path."""
        tree, top = self.worker.tree, "/etc/containerd"
        members = [
            (name.removeprefix("/etc/"), tarfile.REGTYPE, "", tree.files[name])
            for name in tree.below(f"{top}/certs.d")
            if tree.files[name] is not None and not f"{name}/".startswith(f"{top}/certs.d/{path}/")
        ]
        self.fault_tree(*members, (f"containerd/certs.d/{path}", kind, "containerd/config.toml", b""))
        tree.write(f"{top}/config.toml", tree.text(f"{top}/config.toml"))  # so that the files are read again

    def test_tar_with_links_and_devices(self):
        """Nothing is read through them, and what somebody put there is not overwritten."""
        alias = f"localhost:{self.port}"
        kinds = {
            tarfile.SYMTYPE: "a symbolic link",
            tarfile.LNKTYPE: "a hard link",
            tarfile.CHRTYPE: "a device",
            tarfile.BLKTYPE: "a device",
            tarfile.FIFOTYPE: "a pipe",
        }
        self.apply()
        for path in (f"{alias}/hosts.toml", alias, f"localhost_{self.port}_"):
            for kind, words in kinds.items():
                with self.subTest(path=path, kind=kind):
                    self.fault_entry(path, kind)
                    before = self.engine.mark()
                    result = self.run_program("apply", status=1)
                    self.assertRegex(result.stdout, rf"(?m)^{WORKER}: ForeignFile: .*/certs.d/{path} is {words}, ")
                    self.assertEqual(self.engine.since(before, "PUT .*/archive"), [])
                    self.engine.clear_faults()

    def test_link_is_kept_in_mind(self):
        """The next process knows of it without reading the files again."""
        self.apply()
        self.fault_entry(f"localhost:{self.port}", tarfile.SYMTYPE)
        self.run_program("apply", status=1)
        before = self.engine.mark()
        result = self.run_program("apply", status=1)
        self.assertRegex(result.stdout, rf"(?m)^{WORKER}: ForeignFile: .* is a symbolic link, ")
        self.assertEqual(self.engine.since(before, f"GET .*/{self.worker.id}/archive"), [])

    def test_tar_with_sizes_that_are_not_true(self):
        huge = tarfile.TarInfo("containerd/certs.d/a:1/hosts.toml")
        for size in (1 << 20 | 1, 1 << 33, 1 << 62):
            huge.size = size
            header = huge.tobuf(tarfile.GNU_FORMAT)
            self.engine.fault(f"GET .*/{self.worker.id}/archive", "answer", times=None, response=Response(200, header))
            result = self.run_program("plan", status=1)
            self.assertRegex(result.stdout, rf"(?m)^{WORKER}: Error: .*tar: a file of more than 1048576 bytes")
            self.assertRegex(result.stdout, rf"(?m)^{CONTROL_PLANE}: write")
            self.engine.clear_faults()

    def test_link_in_the_place_of_credentials(self):
        admin_conf = self.tar(("admin.conf", tarfile.SYMTYPE, str(self.home / "kubeconfig"), b""))
        (self.home / "kubeconfig").write_text(self.kube.admin_conf())
        self.engine.fault("GET .*/archive.*admin.conf", "answer", times=None, response=admin_conf)
        result = self.run_program("plan", status=1)
        self.assertRegex(result.stdout, rf"(?m)^{DEPLOYMENT}: ApiUnreachable: cluster hostk8s has no .*admin.conf yet")
        self.assertEqual(self.kube.requests, [])


class Headers(HostileTest):
    def test_line_ends_in_values_are_no_headers(self):
        value = "a\r\nX-Injected: 1\r\n\r\nGET /injected HTTP/1.1"
        self.configure(
            registry={"environment": {"A": value, "B": "\n"}},
            ui={"environment": {"A": value}},
        )
        daemon = self.converged_daemon("-l", "debug")
        self.assertIn(f"A={value}", self.registry().spec["Env"])
        for request in self.engine.requests + self.kube.requests:
            self.assertNotIn("x-injected", request.headers)
            self.assertNotIn("injected", request.target)
        self.watch(daemon)

    def test_line_ends_in_names_are_refused(self):
        odd = "a\r\nX-Injected: 1"
        for change in (
            {"registry": {"name": odd}},
            {"registry": {"image": odd}},
            {"registry": {"listen": f"127.0.0.1:5002{odd}"}},
            {"registry": {"environment": {odd: "1"}}},
            {"registry": {"storage": f"/{odd}"}},
            {"ui": {"title": odd}},
            {"network": odd},
            {"clusters": [odd]},
            {"nodes": {"aliases": [f"{odd}:1"]}},
            {"ui": {"namespace": odd}},
            {"ui": {"image": odd}},
            {"ui": {"url": f"http://localhost{odd}"}},
            {"ui": {"path": f"/{odd}/"}},
            {"ui": {"ingressClass": odd}},
            {"docker": {"host": f"tcp://localhost:1{odd}"}},
        ):
            self.config_file.write_text(json.dumps(change))
            self.run_program("check", status=78)


class Listen(HostileTest):
    def test_loopback_unless_it_is_allowed(self):
        table = {
            "127.0.0.1:5002": True,
            "127.1.2.3:5002": True,
            "[::1]:5002": True,
            "0.0.0.0:5002": False,
            "[::]:5002": False,
            "192.168.1.10:5002": False,
            "[fe80::1]:5002": False,
            "[::ffff:127.0.0.1]:5002": False,
        }
        for listen, loopback in table.items():
            with self.subTest(listen=listen):
                self.config_file.write_text(json.dumps({"registry": {"listen": listen}}))
                result = self.run_program("check", status=0 if loopback else 78)
                self.assertEqual("needs registry.allowRemote: true" in result.stderr, not loopback)
                self.config_file.write_text(json.dumps({"registry": {"listen": listen, "allowRemote": True}}))
                self.run_program("check", status=0)
        for listen in ("localhost:5002", "example.org:5002", "5002", ":5002", "*:5002", "127.1:5002", "0x7f000001:1"):
            with self.subTest(listen=listen):
                self.config_file.write_text(json.dumps({"registry": {"listen": listen, "allowRemote": True}}))
                self.run_program("check", status=78)

    def test_container_open_to_others_is_made_again(self):
        """Whoever has changed it: nothing that was declared allows it."""
        self.apply()
        for binding in ({"HostIp": "", "HostPort": str(self.port)}, {"HostIp": "0.0.0.0", "HostPort": "5999"}):
            bindings = self.registry().spec["HostConfig"]["PortBindings"]["5000/tcp"]
            bindings.append(binding)
            result = self.run_program("plan", status=2)
            self.assertRegex(result.stdout, rf"(?m)^    listen: .*, {binding['HostIp']}:{binding['HostPort']} -> 127")
            self.apply()
            bindings = self.registry().spec["HostConfig"]["PortBindings"]["5000/tcp"]
            self.assertEqual(bindings, [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}])


if __name__ == "__main__":
    unittest.main()
