"""A container of the fake engine that runs a shell script over the directory that is mounted into it: gc's."""

import os
import pathlib
import subprocess
import sys
import tempfile

# What runs in the place of the image's own program.
PROGRAM = [sys.executable, str(pathlib.Path(__file__).with_name("registry.py"))]


def storage_of(container):
    """The host's directory at /var/lib/registry, None where there is none."""
    binds = (bind.split(":") for bind in container.binds)
    return next((source for source, target, *_ in binds if target == "/var/lib/registry"), None)


def run_script(container, program=None):
    """Runs it as the container would, with the program in the place of the image's; the exit status and what it
    has said."""
    spec, source = container.spec, storage_of(container)
    option, script, name, _, *arguments = spec["Cmd"]
    environment = dict(os.environ) | {"FAKE_STORAGE": source, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": source}
    with tempfile.NamedTemporaryFile() as removals:
        removals.write(container.tree.files["/registryd-removals"])
        removals.flush()
        script = script.replace("/registryd-removals", removals.name)
        ended = subprocess.run(
            [*spec["Entrypoint"], option, script, name, *(program or PROGRAM), *arguments],
            cwd=spec["WorkingDir"].replace("/var/lib/registry", source),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return ended.returncode, ended.stdout.decode().replace("\n", "\r\n")
