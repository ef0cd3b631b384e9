"""A plain `cmake`, `cmake --install`: with the libraries that the program needs alone, for any prefix."""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import BINARY, ROOT

FILES = {
    "bin/hostk8s-registryd",
    "lib/systemd/user/hostk8s-registryd-gc.service",
    "lib/systemd/user/hostk8s-registryd-gc.timer",
    "lib/systemd/user/hostk8s-registryd.service",
    "share/bash-completion/completions/hostk8s-registryd",
    "share/doc/hostk8s-registryd/LICENSE",
    "share/doc/hostk8s-registryd/README.md",
    "share/doc/hostk8s-registryd/registryd.yaml",
    "share/fish/vendor_completions.d/hostk8s-registryd.fish",
    "share/hostk8s-registryd/registryd.schema.json",
    "share/man/man1/hostk8s-registryd.1.gz",
    "share/man/man5/registryd.yaml.5.gz",
    "share/zsh/site-functions/_hostk8s-registryd",
}
# As pkg-config says it where the library is not installed.
WITHOUT_CMOCKA = """#!/bin/sh
case "$*" in *cmocka*) exit 1 ;; esac
exec pkg-config "$@"
"""


def run(*command, **environment):
    result = subprocess.run(
        [str(word) for word in command],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    if result.returncode != 0:
        raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}")
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="hk8s-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.build = cls.directory / "build"
        pkg_config = cls.directory / "pkg-config"
        pkg_config.write_text(WITHOUT_CMOCKA)
        pkg_config.chmod(0o755)
        cls.said = run("cmake", "-S", ROOT, "-B", cls.build, "-G", "Ninja", f"-DPKG_CONFIG_EXECUTABLE={pkg_config}")
        # Installed is what is tested; what builds it is tests/run's own.
        for name in ("hostk8s-registryd", "registryd.schema.json"):
            shutil.copy(pathlib.Path(BINARY).with_name(name), cls.build)

    def install(self, *options, **environment):
        """Installs; returns the unit's lines."""
        destination = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        prefix = pathlib.Path(options[1] if options else "/usr/local")
        run("cmake", "--install", self.build, *options, DESTDIR=str(destination), **environment)
        root = destination / prefix.relative_to("/")
        found = {str(path.relative_to(root)) for path in destination.rglob("*") if not path.is_dir()}
        self.assertEqual(found, FILES)
        self.assertTrue(os.access(root / "bin/hostk8s-registryd", os.X_OK))
        example = root / "share/doc/hostk8s-registryd/registryd.yaml"
        run(root / "bin/hostk8s-registryd", "-c", example, "check", HOME=str(destination))
        schema = prefix / "share/hostk8s-registryd/registryd.schema.json"
        self.assertIn(f"# yaml-language-server: $schema={schema}\n", example.read_text())
        json.loads((root / schema.relative_to(prefix)).read_text())
        page = gzip.decompress((root / "share/man/man1/hostk8s-registryd.1.gz").read_bytes()).decode()
        self.assertIn(f"\n.It Pa {schema}\n", page)
        return (root / "lib/systemd/user/hostk8s-registryd.service").read_text().splitlines()

    def test_the_unit_names_what_is_installed(self):
        unit = self.install()
        self.assertIn("ExecStart=/usr/local/bin/hostk8s-registryd run", unit)
        self.assertIn("Documentation=file:/usr/local/share/doc/hostk8s-registryd/README.md", unit)
        self.assertNotIn("%h", "\n".join(unit))

    def test_another_prefix(self):
        self.assertIn("ExecStart=/opt/registry/bin/hostk8s-registryd run", self.install("--prefix", "/opt/registry"))

    def test_asserts_stay_in_what_is_shipped(self):
        self.assertIn(b"__assert_fail", pathlib.Path(BINARY).read_bytes())
        for entry in json.loads((self.build / "compile_commands.json").read_text()):
            flags = [word for word in entry["command"].split() if word.endswith("NDEBUG")]
            self.assertEqual(flags[-1], "-UNDEBUG", entry["file"])
