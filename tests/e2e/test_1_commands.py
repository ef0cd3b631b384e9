"""plan, apply, teardown on a real engine and cluster, from an empty machine to an empty machine."""

import json
import re
import unittest

from machine import (
    CLUSTER,
    IMAGE_NAMES,
    MACHINE,
    REGISTRY,
    Program,
    nodes,
    push_demo,
    push_index,
    registry_tags,
    run_pod,
    wait_until,
)

BLOB_BYTES = 30 * 1024 * 1024
PAGE = "http://localhost:8080/registry/"
WRITES = re.compile(r"\b(POST|PUT|PATCH|DELETE) /(?!\S*dryRun=All|v2/hostk8s-registryd/probe/)")


class Commands(unittest.TestCase):
    """One story in the order of the names: each test builds on the one before."""

    @classmethod
    def setUpClass(cls):
        cls.program = Program(MACHINE)

    @classmethod
    def tearDownClass(cls):
        cls.program("teardown", "--yes", check=False)
        cls.program.close()

    def test_01_plan_shows_everything_and_changes_nothing(self):
        result = self.program("plan", "--json", check=False)
        self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
        resources = {change["resource"] for change in json.loads(result.stdout)["changes"]}
        self.assertIn(f"container/{REGISTRY}", resources, result.stdout)
        self.assertIn(f"kube/{CLUSTER}/Deployment/hostk8s/registry-ui", resources, result.stdout)
        self.assertTrue({f"node/{node}" for node in nodes()} <= resources, resources)
        self.assertNotIn(REGISTRY, MACHINE.docker("ps", "-a", "--format", "{{.Names}}").split())

    def test_02_apply_converges(self):
        result = self.program("apply", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("13 of 13 ready", result.stdout)

    def test_03_a_pushed_image_runs_under_every_name_on_every_node(self):
        push_demo()
        self.assertEqual(registry_tags(), ["1"])
        for node in nodes():
            for image in IMAGE_NAMES:
                with self.subTest(node=node, image=image):
                    run_pod(image, node)

    def test_04_the_page_lists_the_image(self):
        page = MACHINE.chromium(PAGE)
        self.assertIn("demo", page.stdout)
        self.assertNotRegex(page.stderr, r"(?i)error")

    def test_05_a_large_blob_goes_through_the_ingress(self):
        script = f"""set -euo pipefail
            head -c {BLOB_BYTES} /dev/urandom > blob
            digest=sha256:$(sha256sum blob | cut -d' ' -f1)
            at=$(curl -sf -o /dev/null -w '%header{{location}}' -X POST http://localhost:8080/v2/demo/blobs/uploads/)
            code=$(curl -s -o answer -w '%{{http_code}}' -X PUT -H 'Content-Type: application/octet-stream' --data-binary @blob "$at&digest=$digest")
            [ "$code" = 201 ] || {{ cat answer; exit 1; }}
            curl -sfI "http://localhost:8080/v2/demo/blobs/$digest" """
        answer = MACHINE.inside("bash", "-c", script, cwd=self.program.directory)
        self.assertIn(f"Content-Length: {BLOB_BYTES}", answer.stdout)

    def test_06_a_second_apply_writes_nothing(self):
        result = self.program("-l", "debug", "apply", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("0 changes", result.stdout)
        self.assertRegex(result.stderr, r"GET /.*/containers/json")
        self.assertNotRegex(result.stderr, WRITES)

    def test_07_plan_has_nothing_to_do(self):
        result = self.program("plan", check=False)
        self.assertEqual((result.returncode, result.stdout), (0, "nothing to do\n"))

    def test_08_plan_names_what_differs(self):
        MACHINE.docker("update", "--restart=no", REGISTRY)
        MACHINE.kubectl("-n", "hostk8s", "scale", "deployment/registry-ui", "--replicas=2")
        result = self.program("plan", check=False)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stdout, r"restart\S*: no -> always")
        self.assertRegex(result.stdout, r"replicas: 2 -> 1")

    def test_09_teardown_leaves_the_storage_alone(self):
        result = self.program("teardown", "--yes", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn(REGISTRY, MACHINE.docker("ps", "-a", "--format", "{{.Names}}").split())
        for node in nodes():
            self.assertEqual(MACHINE.docker("exec", node, "find", "/etc/containerd/certs.d", "-name", "hosts.toml", check=False), "")
        left = ("get", "all,ingress,configmap,endpoints", "-A", "-l", "app.kubernetes.io/managed-by=hostk8s-registryd", "-o", "name")
        wait_until(lambda: MACHINE.kubectl(*left) == "", 60, "nothing of it is left, and its pods have ended")
        wait_until(lambda: "namespace/hostk8s" not in MACHINE.kubectl("get", "namespaces", "-o", "name").split(), 60, "the namespace is gone")
        self.assertTrue((self.program.storage / "docker/registry/v2/repositories/demo").is_dir())

    def test_10_apply_after_teardown_brings_the_image_back(self):
        result = self.program("apply", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(registry_tags(), ["1"])

    # ---- the page ----

    def page(self):
        result = self.program("apply", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return MACHINE.chromium(PAGE).stdout

    def test_11_the_page_has_the_size_and_date_of_an_index(self):
        push_index()
        self.assertRegex(self.page(), r"index: [0-9.]+ MB, 20\d\d-")

    def test_12_the_old_line_of_the_ui_shows_images_alone(self):
        self.program.configure(ui={"image": "joxit/docker-registry-ui:static"})
        page = self.page()
        self.assertRegex(page, r"\b1: [0-9.]+ MB, 20\d\d-")
        self.assertIn("Manifest for demo:index not found", page)

    def test_13_the_path_without_its_slash_and_another_one(self):
        self.program.configure(ui={"path": "/images"})
        self.program("apply")

        def answers(path, expected):  # nginx may wait a minute for the pod that was replaced
            answer = MACHINE.inside("curl", "-s", "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code} %header{location}",
                                    f"http://127.0.0.1:8080{path}")
            return re.fullmatch(expected, answer.stdout)

        for path, expected in (("/images", "30[12] /images/"), ("/images/", "200 "), ("/registry/", "404 ")):
            with self.subTest(path=path):
                wait_until(lambda path=path, expected=expected: answers(path, expected), 60, expected)

    def test_14_a_gateway_instead_of_the_ingress(self):
        MACHINE.gateway_up()
        self.program.configure(ui={"gateway": "lab/gateway"})
        self.assertIn("demo", self.page())
        self.assertEqual(MACHINE.kubectl("-n", "hostk8s", "get", "ingress", "-o", "name"), "")
        MACHINE.inside("curl", "-sf", "http://localhost:8080/v2/demo/tags/list")
        self.program.configure()
        self.assertIn("demo", self.page())
        self.assertEqual(MACHINE.kubectl("-n", "hostk8s", "get", "httproute", "-o", "name"), "")


if __name__ == "__main__":
    unittest.main()
