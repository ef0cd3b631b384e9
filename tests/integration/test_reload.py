"""SIGHUP: a new configuration touches only what differs; an invalid one changes nothing."""

import re

from harness import ALIAS, CONTAINER, DEPLOYMENT, HOSTING, HOSTS, REGISTRY, MachineTest, wait_until


class Reload(MachineTest):
    def test_alias_rewrites_files_only(self):
        daemon = self.converged_daemon()
        before = self.engine.mark(), self.kube.mark()
        registry = self.registry().id
        self.configure(nodes={"aliases": [ALIAS]})
        since = self.notify.mark()
        self.reload(daemon)
        self.assertRegex(self.notify.wait("^RELOADING=1", since), r"\ARELOADING=1\nMONOTONIC_USEC=\d+$")
        self.wait_alias()
        for node in (self.worker, self.node):
            wait_until(lambda node=node: node.tree.text(HOSTS) is None, "the old alias is gone")
        daemon.wait_converged()
        self.assertEqual(self.registry().id, registry)
        for request in self.engine.writes(before[0]):
            self.assertRegex(str(request), r"PUT .*/archive|POST .*/exec")
        self.assertEqual(self.kube.writes(before[1]), [])

    def test_port_recreates_without_loss(self):
        daemon = self.converged_daemon()
        old = self.registry().id
        before = self.engine.mark()
        self.change_port()
        self.reload(daemon)
        self.engine.wait(f"DELETE .*/containers/{old}", since=before, answered=True)
        daemon.wait_converged()
        self.assert_registry()
        steps = [
            rf"POST .*/containers/{old}/rename\?name={REGISTRY}-previous$",
            rf"POST .*/containers/create\?name={REGISTRY}$",
            rf"POST .*/containers/{old}/stop\?t=\d+$",
            rf"POST .*/containers/{self.registry().id}/start$",
            r"^GET /v2/$",
            rf"DELETE .*/containers/{old}\?force=1&v=0$",
        ]
        requests = [str(request) for request in self.engine.requests[before:]]
        rest = iter(requests)
        for step in steps:  # each behind the one before it
            self.assertTrue(any(re.search(step, request) for request in rest), f"{step}: {requests}")
        self.assertEqual(len(self.engine.since(before, "POST .*/create")), 1)

    def test_restart_policy_is_updated_in_place(self):
        daemon = self.converged_daemon()
        registry = self.registry()
        before = self.engine.mark()
        self.configure(registry={"restart": "unless-stopped"})
        self.reload(daemon)
        self.engine.wait("POST .*/update", since=before, answered=True)
        self.assertIs(self.registry(), registry)
        self.assertEqual(registry.spec["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped")

    def test_ui_no_longer_wanted_is_cleaned_up(self):
        daemon = self.converged_daemon()
        self.configure(ui={"enabled": False})
        self.reload(daemon)
        wait_until(lambda: self.kube.get("namespaces", "hostk8s") is None, "the namespace is gone")
        daemon.wait_converged(5)
        self.assertIsNotNone(daemon.condition(HOSTING))

    def test_cluster_no_longer_wanted_is_cleaned_up(self):
        daemon = self.converged_daemon()
        self.configure(clusters=["other-*"])
        self.reload(daemon)
        daemon.wait_converged(2)
        self.assertIsNone(self.kube.get("configmaps", "local-registry-hosting", "kube-public"))
        self.assertIsNone(self.hosts(self.worker, "localhost:5000"))
        self.assert_registry()

    def test_invalid_leaves_the_old_one_in_force(self):
        daemon = self.converged_daemon()
        registry, text = self.registry().id, self.config_file.read_text()
        self.config_file.write_text("registry:\n  listen: 1\nui: 2\n")
        before = len(daemon.lines)
        message = self.reload(daemon, r"^STATUS=reload failed: .*:2:11: registry.listen: ")
        self.assertRegex(message, r"\AREADY=1\n")
        for pattern in (r":2:11: registry.listen: ", r":3:5: ui: "):
            self.assertRegex(daemon.wait_line(pattern, before), "reload failed, the old configuration stays: ")
        self.assert_repairs()
        self.assertEqual(self.registry().id, registry)
        self.config_file.write_text(text)
        self.assertNotIn("reload failed", self.reload(daemon))
        daemon.wait_line("reloaded ", before)

    def test_the_default_file_is_gone(self):
        """An editor that takes it away before it writes: the defaults would clean up the other clusters."""
        default = self.home / ".config/hostk8s/registryd.yaml"
        default.parent.mkdir(parents=True)
        self.configure(nodes={"aliases": [ALIAS]})
        self.config_file.rename(default)
        daemon = self.converged_daemon(config=False)
        default.rename(self.config_file)
        before = len(daemon.lines)
        with self.untouched():
            self.reload(daemon, f"^STATUS=reload failed: {default}:1:1: cannot be read: No such file or directory")
            daemon.wait_line("error: reload failed, the old configuration stays: ", before)
            self.wait_passes()
        self.config_file.rename(default)
        self.assertNotIn("reload failed", self.reload(daemon))

    def test_there_never_was_a_file(self):
        """Then it means the defaults, until there is one."""
        default = self.home / ".config/hostk8s/registryd.yaml"
        default.parent.mkdir(parents=True)
        daemon = self.daemon(config=False, environment={"DOCKER_HOST": self.config["docker"]["host"]})
        daemon.wait_reason(DEPLOYMENT, "Converged")  # all but the page, which nobody serves
        self.assertNotIn("reload failed", self.reload(daemon))
        self.config_file.rename(default)
        self.assertNotIn("reload failed", self.reload(daemon))
        default.unlink()
        self.reload(daemon, "^STATUS=reload failed: .*cannot be read: No such file or directory")

    def test_log_level(self):
        daemon = self.converged_daemon()
        before = len(daemon.lines)
        self.configure(log={"level": "debug"})
        self.reload(daemon)
        daemon.wait_line("^debug: http: GET ", before)

    def test_another_engine(self):
        daemon = self.converged_daemon()
        self.configure(docker={"host": f"unix://{self.home}/nowhere.sock"})
        self.reload(daemon)
        daemon.wait_reason(CONTAINER, "EngineUnreachable", "nowhere.sock")
