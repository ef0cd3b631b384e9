"""The file tree of a container, as the archive API shows it."""

import datetime
import io
import posixpath
import tarfile

MODE_DIRECTORY = 1 << 31  # Go's os.ModeDir, in X-Docker-Container-Path-Stat


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def timestamp(seconds, zone=0):
    """RFC 3339, in the zone of so many hours."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone(datetime.timedelta(hours=zone)))
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000"
    return text + (f"+{zone:02}:00" if zone else "Z")


class Tree:
    """Files by absolute path; None is a directory. A test changes it while requests are answered: each step
    leaves what can be read, and a time is never newer than what it is of."""

    def __init__(self, clock):
        self.clock = clock
        self.count = 0
        self.files = {"/": None}
        self.times = {"/": self.now()}

    def now(self):
        """No two changes have the same time."""
        self.count += 1
        return timestamp(self.clock())[:-4] + f"{self.count % 1000:03}Z"

    def write(self, path, data):
        parent = posixpath.dirname(path)
        if parent not in self.files:
            self.write(parent, None)
        if self.files.get(path, b"") is None and data is not None:
            raise Refusal(400, f"cannot overwrite directory {path} with a file")
        new = path not in self.files
        if new:  # a request may look at it as soon as it is there
            self.times[path] = self.now()
        if data is not None or new:
            self.files[path] = data.encode() if isinstance(data, str) else data
            self.times[path] = self.now()
        if new:
            self.times[parent] = self.now()

    def remove(self, path):
        """With all that is below it."""
        for name in self.below(path):
            self.files.pop(name, None)
            self.times.pop(name, None)
            self.times[posixpath.dirname(path)] = self.now()

    def below(self, path):
        return sorted(self._copied(path))

    def _copied(self, path):
        """What is there at one moment."""
        start = path.rstrip("/") + "/"
        return {name: data for name, data in self.files.copy().items() if name == path or name.startswith(start)}

    def text(self, path):
        data = self.files.get(path)
        return None if data is None else data.decode()

    def stat(self, path):
        data = self.files[path]
        return {
            "name": posixpath.basename(path),
            "size": 4096 if data is None else len(data),
            "mode": MODE_DIRECTORY | 0o755 if data is None else 0o644,
            "mtime": self.times[path],
            "linkTarget": "",
        }

    def pack(self, path):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in sorted(self._copied(path).items()):
                info = tarfile.TarInfo(posixpath.relpath(name, posixpath.dirname(path)))
                info.type, info.mode = (tarfile.DIRTYPE, 0o755) if data is None else (tarfile.REGTYPE, 0o644)
                info.size = len(data or b"")
                tar.addfile(info, io.BytesIO(data or b""))
        return out.getvalue()

    def unpack(self, path, packed):
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for member in tar:
                data = None if member.isdir() else tar.extractfile(member).read()
                self.write(posixpath.normpath(posixpath.join(path, member.name)), data)
