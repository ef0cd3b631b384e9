"""What an engine, a node or a cluster says is never a path, a format, a command or a terminal's escape
sequence, and what the configuration says is no more than it says."""

import io
import json
import signal
import tarfile

from harness import CONTAINER, DEPLOYMENT, DEPLOYMENT_LIST, WORKER, MachineTest, Response, wait_until

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

    def test_of_objects(self):
        self.converged_daemon().stop()

        def change(document):
            document["spec"]["template"]["spec"]["containers"][0]["image"] = f"%s%n {ESCAPES}"
            document["metadata"]["labels"]["app.kubernetes.io/name"] = ESCAPES
            owned = document["metadata"]["managedFields"][0]["fieldsV1"]
            owned.setdefault("f:spec", {})[f"f:{ESCAPES}"] = {}
            document["spec"][ESCAPES] = ESCAPES

        self.kube.change("deployments", "registry-ui", change)
        self.assertIn(DEPLOYMENT, self.run_program("plan", status=2).stdout)
        daemon = self.daemon("-l", "debug")
        template = ("deployments", "registry-ui")
        wait_until(lambda: "owned" not in str(self.kube.get(*template)["spec"]["template"]), "mended")
        daemon.wait_converged()
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
    def test_deep_nesting(self):
        daemon = self.converged_daemon("-l", "debug")
        for body in (b'{"a":' * 200_000, b"[" * 200_000 + b"]" * 200_000):
            for server, match, resource in (
                (self.engine, r"GET .*/containers/json\?", CONTAINER),
                (self.engine, f"GET .*/{self.registry().id}/json", CONTAINER),
                (self.kube, DEPLOYMENT_LIST, DEPLOYMENT),
            ):
                response = Response(200, body, {"Content-Type": "application/json"})
                server.fault(match, "answer", times=None, response=response)
                daemon.wait_reason(resource, "Error", "the answer is no JSON$")
                self.watch(daemon)
                server.clear_faults()
                daemon.wait_converged()
        before = self.engine.mark()
        for stream in self.engine.streams:
            stream.put(b"[" * 200_000 + b"\n")
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

    def test_link_in_the_place_of_credentials(self):
        admin_conf = self.tar(("admin.conf", tarfile.SYMTYPE, str(self.home / "kubeconfig"), b""))
        (self.home / "kubeconfig").write_text(self.kube.admin_conf())
        self.engine.fault("GET .*/archive.*admin.conf", "answer", times=None, response=admin_conf)
        result = self.run_program("plan", status=1)
        self.assertRegex(result.stdout, r"(?m)^kube/\S+: ApiUnreachable: cluster hostk8s has no .*admin.conf yet")
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
        wrong = {
            "registry": ["name", "image", ("listen", f"127.0.0.1:5002{odd}"), ("environment", {odd: "1"}), "storage"],
            "ui": ["title", "namespace", "image", "ingressClass", ("url", f"http://localhost{odd}"), ("path", f"/{odd}/")],
            "nodes": [("aliases", [f"{odd}:1"])],
            "docker": [("host", f"tcp://localhost:1{odd}")],
        }
        cases = [{"network": odd}, {"clusters": [odd]}]
        for section, keys in wrong.items():
            cases += [{section: dict([key if isinstance(key, tuple) else (key, odd)])} for key in keys]
        for case in cases:
            with self.subTest(case=case):
                self.config_file.write_text(json.dumps(case))
                self.run_program("check", status=78)


class Listen(HostileTest):
    def test_loopback_unless_it_is_allowed(self):
        for address in ("127.1.2.3", "[::1]", "0.0.0.0", "[::]", "192.168.1.10", "[fe80::1]", "[::ffff:127.0.0.1]"):
            with self.subTest(address=address):
                loopback = address in ("127.1.2.3", "[::1]")
                self.config_file.write_text(json.dumps({"registry": {"listen": f"{address}:5002"}}))
                result = self.run_program("check", status=0 if loopback else 78)
                self.assertEqual("needs registry.allowRemote: true" in result.stderr, not loopback)
                allowed = {"registry": {"listen": f"{address}:5002", "allowRemote": True}}
                self.config_file.write_text(json.dumps(allowed))
                self.run_program("check", status=0)

    def open_to_others(self, address, port):
        """Somebody makes the container again, with its labels; returns it."""
        container = self.registry()
        container.spec["HostConfig"]["PortBindings"]["5000/tcp"].append({"HostIp": address, "HostPort": port})
        return container

    def test_container_open_to_others_is_made_again(self):
        """Whoever has changed it: nothing that was declared allows it."""
        for address, port in (("", str(self.port)), ("0.0.0.0", "5999")):
            self.apply()
            self.open_to_others(address, port)
            result = self.run_program("plan", status=2)
            self.assertRegex(result.stdout, rf"(?m)^    listen: .*, 0\.0\.0\.0:{port} -> 127")
            self.apply()
            bindings = self.registry().spec["HostConfig"]["PortBindings"]["5000/tcp"]
            self.assertEqual(bindings, [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}])
            self.engine.remove_container(self.registry())  # it knows for what it was made again

    def test_container_is_made_again_once(self):
        """Nothing is destroyed for what did not help, by a new process either; the sentence tells what does."""
        self.apply()
        self.open_to_others("0.0.0.0", "5999")
        self.apply()
        made_again = self.open_to_others("0.0.0.0", "5998")
        for _ in range(2):
            result = self.run_program("apply", status=1)
            self.assertRegex(result.stderr + result.stdout, "0.0.0.0:5998, though .* `docker rm -f hostk8s-registry`")
            self.assertIs(self.registry(), made_again)
        self.engine.remove_container(made_again)
        self.apply()
        self.run_program("plan", status=0)
