"""A pull-through cache in front of an upstream registry: filled by one node, and read by another one while
the upstream is stopped."""

import unittest

from machine import MACHINE, REGISTRY, Program, nodes, run_pod, wait_until

UPSTREAM = "upstream.example:5000"  # as image names begin; no name server knows it
CONTAINER = "lab-upstream"
CACHE = f"{REGISTRY}-cache-upstream.example-5000"
PORT = 5009  # of the upstream on the host, to push to
IMAGE = f"{UPSTREAM}/demo:1"


class Caches(unittest.TestCase):
    """One story in the order of the names: each test builds on the one before."""

    @classmethod
    def setUpClass(cls):
        MACHINE.docker("rm", "-f", CONTAINER, check=False)
        MACHINE.docker("run", "-d", "--name", CONTAINER, "--network", "kind", "-p", f"127.0.0.1:{PORT}:5000", "registry:2")
        template = "{{(index .NetworkSettings.Networks \"kind\").IPAddress}}"
        address = MACHINE.docker("inspect", "-f", template, CONTAINER).strip()
        cls.url = f"http://{address}:5000"
        wait_until(lambda: MACHINE.inside("curl", "-sf", f"http://localhost:{PORT}/v2/"), 30, "the upstream answers")
        MACHINE.docker("tag", MACHINE.demo_image, f"localhost:{PORT}/demo:1")
        MACHINE.docker("push", f"localhost:{PORT}/demo:1")
        cls.program = Program(MACHINE, ui=False, caches=[{"upstream": UPSTREAM, "url": cls.url}])

    @classmethod
    def tearDownClass(cls):
        cls.program("teardown", "--yes", check=False)
        cls.program.close()
        MACHINE.docker("rm", "-f", CONTAINER, check=False)

    @property
    def cached(self):
        """The directory of what is cached."""
        return self.program.storage.with_name("storage-cache") / "upstream.example-5000"

    def test_1_apply_makes_the_cache(self):
        result = self.program("apply", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(MACHINE.docker("port", CACHE), "")
        for node in nodes():
            path = f"/etc/containerd/certs.d/{UPSTREAM}/hosts.toml"
            self.assertIn(f'server = "{self.url}"', MACHINE.docker("exec", node, "cat", path))
        self.assertEqual(self.program("plan", check=False).returncode, 0)

    def test_2_a_node_fills_it(self):
        run_pod(IMAGE, nodes()[0])
        self.assertTrue((self.cached / "docker/registry/v2/repositories/demo/_manifests/tags/1").is_dir())
        self.assertFalse((self.program.storage / "docker/registry/v2/repositories/demo").exists())

    def test_3_another_one_pulls_without_the_upstream(self):
        MACHINE.docker("stop", "-t", "0", CONTAINER)
        self.assertGreater(len(nodes()), 1, "this needs a second node")
        run_pod(IMAGE, nodes()[1])

    def test_4_what_is_not_cached_comes_from_the_upstream(self):
        """Also when the cache is away."""
        MACHINE.docker("start", CONTAINER)
        MACHINE.docker("stop", "-t", "0", CACHE)
        run_pod(IMAGE, nodes()[1])

    def test_5_a_new_cache_is_warm(self):
        MACHINE.docker("rm", "-f", CACHE)
        result = self.program("apply", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        MACHINE.docker("stop", "-t", "0", CONTAINER)
        run_pod(IMAGE, nodes()[0])

    def test_6_undeclared_it_goes_and_what_is_cached_stays(self):
        self.program.configure(ui=False)
        result = self.program("apply", check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn(CACHE, MACHINE.docker("ps", "-a", "--format", "{{.Names}}").split())
        for node in nodes():
            found = MACHINE.docker("exec", node, "find", "/etc/containerd/certs.d", "-name", "hosts.toml")
            self.assertNotIn(UPSTREAM, found)
        self.assertTrue((self.cached / "docker/registry/v2/repositories/demo").is_dir())


if __name__ == "__main__":
    unittest.main()
