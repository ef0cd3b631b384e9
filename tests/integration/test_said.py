"""Whoever says something that comes into a message: a secret in it is hidden, and an escape sequence or a
line end becomes harmless, wherever the message is shown."""

import json

from harness import CONTAINER, DEPLOYMENT, WORKER, Response
from test_secrets import HIDDEN, SECRET, UI_SECRET, SecretsTest
from test_security import CERTS, ESCAPES, MARK, HostileTest

SAID = f"%s%n {ESCAPES}"


# ---- who says it: each makes it so, and returns the resource and the reason ----


def refused(server, match, code, body):
    server.fault(match, "status", times=None, code=code, body=body)


def engine(test, text):
    refused(test.engine, "POST .*/containers/create", 400, {"message": text})
    return CONTAINER, "Error"


def page_of_an_engine(test, text):
    refused(test.engine, "POST .*/containers/create", 400, f"<html>{text}".encode())
    return CONTAINER, "Error"


def start(test, text):
    test.engine.pullable["bad:1"], test.engine.start_error = "unstartable", text
    test.configure(registry={"image": "bad:1"})
    return CONTAINER, "Error"


def pull(test, text):
    refused(test.engine, "POST .*/images/create", 500, {"message": text})
    return CONTAINER, "ImagePullFailed"


def stream_of_a_pull(test, text):
    line = {"status": text, "id": text, "progressDetail": {"current": 1, "total": -1}}
    error = {"errorDetail": {"message": text}, "error": "denied"}
    chunks = [json.dumps(line).encode() + b"\n"] * 10 + [json.dumps(error).encode()]
    test.engine.fault("POST .*/images/create", "answer", times=None, response=Response(200, chunks=chunks))
    return CONTAINER, "ImagePullFailed"


def api_server(test, text):
    refused(test.kube, "PATCH .*/deployments/", 422, {"kind": "Status", "message": text, "reason": text, "code": 422})
    return DEPLOYMENT, "Error"


def pod(test, text):
    test.kube.ready = False
    waiting = {"reason": text, "message": text}
    status = {"containerStatuses": [{"ready": False, "state": {"waiting": waiting}}]}
    labels = {"app.kubernetes.io/managed-by": "hostk8s-registryd"}
    test.kube.add("pods", "hostk8s", "registry-ui-1", {"metadata": {"labels": labels}, "status": status})
    return DEPLOYMENT, "Unavailable"


def command_in_a_node(test, text):
    test.worker.tree.write(f"{CERTS}/old.example:80/hosts.toml", MARK + "\n")  # has to be removed by one
    test.engine.refused_commands["find"] = text
    return WORKER, "Error"


SPEAKERS = (engine, page_of_an_engine, start, pull, stream_of_a_pull, api_server, pod, command_in_a_node)


class Secret(SecretsTest):
    def test_it_is_hidden(self):
        message = f"value {HIDDEN}, not {HIDDEN}"
        for speaker in SPEAKERS:
            with self.subTest(speaker=speaker.__name__):
                resource, reason = speaker(self, f"value {SECRET}, not {UI_SECRET}")
                daemon = self.daemon("-l", "debug")
                daemon.wait_reason(resource, reason, message)
                self.watch(daemon)
                self.assertRegex(self.table(status=1), message)
                self.assertRegex(self.run_program("status", "--json", status=1).stdout, message)
            self.fresh()
        self.texts.append("")  # of the last machine, which says nothing


class Hostile(HostileTest):
    def test_it_is_printable(self):
        for speaker in SPEAKERS:
            with self.subTest(speaker=speaker.__name__):
                resource, reason = speaker(self, SAID)
                daemon = self.daemon("-l", "debug")
                daemon.wait_reason(resource, reason, r"%s%n .*2J")
                self.watch(daemon)
            self.fresh()
