"""The fakes beside what was recorded of the real ones: an answer to the same request is the same, but for
what is different every time."""

import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fakes.accents import ACCENTS, FIXTURES, recorded  # noqa: E402
from fakes.engine import Engine  # noqa: E402
from fakes.files import Tree  # noqa: E402
from fakes.kube import Kube  # noqa: E402
from fakes.message import Request  # noqa: E402
from fakes import containerd  # noqa: E402

VARYING = ("uid", "resourceVersion", "creationTimestamp", "time", "clusterIP", "clusterIPs", "status")
APPLY = {"content-type": "application/apply-patch+yaml"}


def lasting(value):
    if isinstance(value, dict):
        return {name: lasting(child) for name, child in value.items() if name not in VARYING}
    return [lasting(child) for child in value] if isinstance(value, list) else value


class ApiServer(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.kube = Kube(lambda: 1e9, "1.36")
        self.patches = recorded("kube-1.36.2/patches.json")
        self.patches.sort(key=lambda patch: (patch["status"] != 201, "/namespaces/hostk8s?" not in patch["path"]))

    def ask(self, method, path, body=None, headers=None):
        response = self.kube.handle(Request(method, path, headers or APPLY, json.dumps(body).encode() if body else b""))
        return response.status, json.loads(response.body)

    def test_patches(self):
        for patch in self.patches:
            with self.subTest(path=patch["path"]):
                status, answer = self.ask("PATCH", patch["path"], patch["request"])
                expected = lasting(patch["answer"])
                if status == 200:  # the controller's are not the same fields
                    expected["metadata"]["managedFields"] = expected["metadata"]["managedFields"][:1]
                    answer["metadata"]["managedFields"] = answer["metadata"]["managedFields"][:1]
                self.assertEqual((status, lasting(answer)), (patch["status"], expected))

    def test_dry_run_of_what_is_there_changes_nothing(self):
        for patch in self.patches:
            self.ask("PATCH", patch["path"], patch["request"])
        last = {patch["path"].partition("?")[0]: patch for patch in self.patches}
        for path, patch in last.items():
            live = self.ask("GET", path)[1]
            version = self.kube.version
            self.assertEqual(self.ask("PATCH", patch["path"] + "&dryRun=All", patch["request"]), (200, live))
            self.assertEqual(self.kube.version, version)

    def test_edit_is_undone(self):
        for patch in self.patches:
            self.ask("PATCH", patch["path"], patch["request"])
        patch = self.patches[-1]
        path = patch["path"].partition("?")[0]
        good = self.ask("GET", path)[1]["spec"]

        def edit(document):
            pod = document["spec"]["template"]["spec"]
            document["spec"]["replicas"] = 3
            pod["containers"][0]["env"][1]["value"] = "evil"
            pod["containers"][0]["args"] = ["x"]
            pod["nodeSelector"] = {"a": "b"}

        self.kube.change("deployments", "registry-ui", edit)
        status, answer = self.ask("PATCH", patch["path"] + "&dryRun=All", patch["request"])
        self.assertEqual(status, 200)
        self.assertEqual(answer["spec"], good | {"template": answer["spec"]["template"]})
        pod = answer["spec"]["template"]["spec"]
        self.assertEqual(pod.pop("nodeSelector"), {"a": "b"})  # nobody declared anything there
        self.assertEqual(pod, good["template"]["spec"])
        self.assertEqual(self.kube.get("deployments", "registry-ui")["spec"]["replicas"], 3)

    def test_immutable(self):
        for patch in self.patches:
            self.ask("PATCH", patch["path"], patch["request"])
        slice_ = next(patch for patch in self.patches if "endpointslices" in patch["path"])
        status, answer = self.ask("PATCH", slice_["path"] + "&dryRun=All", slice_["request"] | {"addressType": "IPv6"})
        self.assertEqual(status, 422)
        text = 'addressType: Invalid value: "IPv6": field is immutable'
        self.assertEqual(answer["message"], f'EndpointSlice.discovery.k8s.io "registry-api" is invalid: {text}')

    def test_removed_fields_go_and_others_stay(self):
        patch = next(patch for patch in self.patches if "local-registry-hosting" in patch["path"])
        self.ask("PATCH", patch["path"], patch["request"])
        self.kube.change(
            "configmaps", "local-registry-hosting", lambda document: document["data"].update(mine="1"), "kube-public"
        )
        request = patch["request"] | {"data": {"other": "x"}}
        self.assertEqual(self.ask("PATCH", patch["path"], request)[1]["data"], {"mine": "1", "other": "x"})

    def test_namespace_takes_its_time(self):
        now = [1e9]
        self.kube.clock = lambda: now[0]
        for patch in self.patches:
            self.ask("PATCH", patch["path"], patch["request"])
        path = "/api/v1/namespaces/hostk8s"
        self.assertEqual(self.ask("DELETE", path)[1]["status"]["phase"], "Terminating")
        status, answer = self.ask("POST", f"{path}/configmaps", {"metadata": {"name": "a", "namespace": "hostk8s"}})
        self.assertEqual((status, answer["reason"]), (403, "Forbidden"))
        now[0] += 1
        self.assertEqual(self.ask("GET", path)[0], 404)
        self.assertEqual([key for key in self.kube.objects if key[1] == "hostk8s"], [])


class EngineAnswers(unittest.TestCase):
    """Each accent's inspect and list have the recorded fields and no others."""

    def engine(self, accent):
        engine = Engine(lambda: 1e9, accent)
        engine.add_network()
        engine.images["registry:2"] = "answers"
        return engine

    def ask(self, engine, method, path, body=None):
        return engine.handle(Request(method, path, {}, json.dumps(body).encode() if body else b""))

    def shape(self, value):
        return {name: self.shape(child) for name, child in value.items()} if isinstance(value, dict) else None

    def test_inspect_and_list(self):
        files = {"docker-20.10": "engine/registry_running.json", "docker-28.5": "engine-28.5.2/inspect.json"}
        for accent, file in (files | {"podman-4.3": "podman-4.3.1/inspect.json"}).items():
            with self.subTest(accent=accent):
                engine, real = self.engine(accent), recorded(file)
                spec = {
                    "Image": "registry:2",
                    "Env": [e for e in real["Config"]["Env"] if e.startswith("REGISTRY_")],
                    "Labels": real["Config"]["Labels"],
                    "HostConfig": {
                        "Binds": ["/home/dev/.local/share/hostk8s/registry:/var/lib/registry"],
                        "PortBindings": real["HostConfig"]["PortBindings"],
                        "RestartPolicy": {"Name": "always"},
                    },
                }
                self.ask(engine, "POST", "/containers/create?name=hostk8s-registry", spec)
                connect = {"Container": "hostk8s-registry", "EndpointConfig": {"Aliases": ["hostk8s-registry"]}}
                self.ask(engine, "POST", "/networks/kind/connect", connect)
                if accent != "podman-4.3":  # recorded where nothing starts
                    self.ask(engine, "POST", "/containers/hostk8s-registry/start")
                answer = json.loads(self.ask(engine, "GET", "/containers/hostk8s-registry/json").body)
                listed = json.loads(self.ask(engine, "GET", "/containers/json?all=1").body)[0]
                for part in ("Binds", "PortBindings", "RestartPolicy"):
                    self.assertEqual(answer["HostConfig"][part], real["HostConfig"][part])
                self.assertEqual(answer["Mounts"], real["Mounts"])
                if accent != "docker-28.5":  # that was of registry:3
                    self.assertEqual(answer["Config"]["Image"], real["Config"]["Image"])
                self.assertEqual(answer["Config"]["Labels"], real["Config"]["Labels"])
                shape = self.shape(real)
                shape["HostConfig"].setdefault("Mounts", None)
                self.assertEqual(self.shape(answer), shape)
                self.assertEqual(set(answer["NetworkSettings"]["Networks"]), set(real["NetworkSettings"]["Networks"]))
                self.assertEqual(listed["Names"], ["/hostk8s-registry"])

    def test_events_of_podman(self):
        engine = self.engine("podman-4.3")
        self.ask(engine, "POST", "/containers/create?name=hostk8s-registry", {"Image": "registry:2"})
        connect = {"Container": "hostk8s-registry", "EndpointConfig": {"Aliases": ["hostk8s-registry"]}}
        self.ask(engine, "POST", "/networks/kind/connect", connect)
        self.ask(engine, "POST", "/networks/kind/disconnect", {"Container": "hostk8s-registry"})
        self.ask(engine, "DELETE", "/containers/hostk8s-registry?force=1")
        real = [json.loads(line) for line in (FIXTURES / "podman-4.3.1/events.jsonl").read_text().splitlines()]
        real = {event["Action"]: event for event in real}
        for event in engine.events:
            expected = real[event["Action"]]
            self.assertEqual(set(event), set(expected))
            names = set(expected["Actor"]["Attributes"]) - {"io.hostk8s.registryd.owner"}
            self.assertEqual(set(event["Actor"]["Attributes"]), names)
        self.assertEqual([event["Action"] for event in engine.events], ["create", "connect", "disconnect", "remove"])

    def test_every_accent_answers(self):
        for accent in ACCENTS:
            engine = self.engine(accent)
            node = engine.add_node("hostk8s-control-plane", "hostk8s", api_port=6443)
            self.assertEqual(self.ask(engine, "GET", f"/containers/{node.id}/json").status, 200)
            self.assertEqual(len(json.loads(self.ask(engine, "GET", "/containers/json?all=1").body)), 1)


class Containerd(unittest.TestCase):
    """`containerd config dump` beside what containerd prints."""

    DUMPS = FIXTURES.parent / "unit/kinds/node/containerd_dumps.txt"
    UNLIKE = {("2.2.0", "empty"), ("2.3.4", "version_1")}  # known, and in no node of kind

    def test_of_every_recorded_file(self):
        sections = [part.partition("\n") for part in self.DUMPS.read_text().split("\n== ")[1:]]
        files = {head[5:]: body + "\n" for head, _, body in sections if head.startswith("file ")}
        dumps = [(head.split()[1:], body) for head, _, body in sections if head.startswith("dump ")]
        for (version, _, *names), body in dumps:
            expected = containerd.SECTION.search(body + "\n")[0].replace("\n\n", "\n")
            for name in names:
                with self.subTest(containerd=version, file=name):
                    tree = Tree(lambda: 1e9)
                    tree.write(containerd.CONFIG, files[name])
                    tree.write("/etc/containerd/conf.d/registry.toml", files["conf.d/registry.toml"])
                    section = containerd.SECTION.search(containerd.dump(tree, f"containerd x v{version}"))[0]
                    said = re.sub(r"(?m)^\n", "", section)
                    self.assertEqual(said == expected, (version, name) not in self.UNLIKE, said)

    def test_of_kinds_own_file(self):
        tree = Tree(lambda: 1e9)
        tree.write(containerd.CONFIG, (FIXTURES / "containerd/config-kind-0.33.toml").read_text())
        for version, major in (("1.6.20", 1), ("2.1.9", 2)):
            self.assertEqual(containerd.dump(tree, f"containerd x v{version}"), containerd.DUMPS[major])

    def test_of_imports(self):
        tree = Tree(lambda: 1e9)
        imported = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/a"\n'
        tree.write(containerd.CONFIG, 'version = 2\nimports = ["conf.d/*.toml"]\n')
        tree.write("/etc/containerd/conf.d/a.toml", imported)
        self.assertIn('      config_path = "/a"\n', containerd.dump(tree, "containerd x v1.7.24"))
        self.assertIn("      config_path = '/a'\n", containerd.dump(tree, "containerd x v2.1.9"))


if __name__ == "__main__":
    unittest.main()
