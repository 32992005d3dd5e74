"""Record every change to the files of a folder, and every `fsync`, with a file system in user space.

`python -m tests.power_loss.recording FOLDER MOUNT JOURNAL` shows FOLDER at MOUNT until MOUNT is unmounted. Each line of
JOURNAL is a JSON object. The first lines make what FOLDER holds already, until a line `start`. A file or a folder is
known by a number, because its name may change.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mfusepy import FUSE, Operations

from tests.patience import PATIENCE_S

ROOT_FOLDER = 0
# In a call of utimensat, these nanoseconds stand for the present, and for a time that stays.
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2


class Recorder(Operations):
    """Passes calls on to a folder.

    Args:
        folder: the folder.
        journal: file for the lines.
    """

    use_ns = True

    def __init__(self, folder: Path, journal: Path):
        self._folder = str(folder)
        self._journal = journal.open("w", encoding="utf-8", buffering=1)
        self._numbers = {"/": ROOT_FOLDER}
        self._next = ROOT_FOLDER + 1
        self._opened: dict[int, int] = {}
        for path in sorted(folder.rglob("*")):
            name = "/" + path.relative_to(folder).as_posix()
            self._make(name)
            if path.is_file() and not path.is_symlink():
                self._write(self._numbers[name], path.read_bytes(), 0)
                self._record("time", self._numbers[name], at=path.stat().st_mtime_ns)
        self._record("start", ROOT_FOLDER)

    def _real(self, path: str) -> str:
        return self._folder + path

    def _record(self, event: str, number: int, **more: object) -> None:
        line = {"event": event, "number": number, "ns": time.time_ns(), **more}
        self._journal.write(json.dumps(line) + "\n")

    def _make(self, path: str) -> None:
        self._numbers[path], self._next = self._next, self._next + 1
        real = self._real(path)
        kind = "link" if os.path.islink(real) else "folder" if os.path.isdir(real) else "file"
        target = os.readlink(real) if kind == "link" else None
        self._record("make", self._numbers[path], **self._place(path), kind=kind, target=target)

    def _place(self, path: str) -> dict[str, object]:
        folder, name = os.path.split(path)
        return {"folders": [self._numbers[folder]], "name": name}

    def _write(self, number: int, data: bytes, offset: int) -> None:
        self._record("write", number, offset=offset, data=base64.b64encode(data).decode())

    def create(self, path, mode, fi=None):
        handle = os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
        self._make(path)
        self._opened[handle] = self._numbers[path]
        return handle

    def open(self, path, flags):
        # The kernel gives the offset of each write, also that of an appended one.
        handle = os.open(self._real(path), flags & ~os.O_APPEND)
        self._opened[handle] = self._numbers[path]
        if flags & os.O_TRUNC:
            self._record("cut", self._numbers[path], size=0)
        return handle

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        self._write(self._opened[fh], data, offset)
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        self._record("cut", self._numbers[path] if fh is None else self._opened[fh], size=length)
        os.truncate(self._real(path) if fh is None else fh, length)
        return 0

    def release(self, path, fh):
        del self._opened[fh]
        os.close(fh)
        return 0

    def fsync(self, path, datasync, fh):
        self._record("sync", self._opened[fh])
        return 0

    def fsyncdir(self, path, datasync, fh):
        self._record("sync", self._numbers[path])
        return 0

    def mkdir(self, path, mode):
        os.mkdir(self._real(path), mode)
        self._make(path)
        return 0

    def symlink(self, target, source):
        os.symlink(source, self._real(target))
        self._make(target)
        return 0

    def link(self, target, source):
        os.link(self._real(source), self._real(target))
        self._numbers[target] = self._numbers[source]
        self._record("make", self._numbers[source], **self._place(target), kind="name", target=None)
        return 0

    def rename(self, old, new):
        os.rename(self._real(old), self._real(new))
        folders = [self._numbers[os.path.dirname(path)] for path in (old, new)]
        names = {"name": os.path.basename(old), "new": os.path.basename(new)}
        self._record("move", self._numbers[old], folders=folders, **names)
        moved = {path: number for path, number in self._numbers.items() if path == old or path.startswith(f"{old}/")}
        self._numbers = {path: number for path, number in self._numbers.items() if path not in moved}
        self._numbers |= {new + path[len(old) :]: number for path, number in moved.items()}
        return 0

    def unlink(self, path):
        os.unlink(self._real(path))
        self._record("remove", self._numbers.pop(path), **self._place(path))
        return 0

    def rmdir(self, path):
        os.rmdir(self._real(path))
        self._record("remove", self._numbers.pop(path), **self._place(path))
        return 0

    def utimens(self, path, times=None):
        status = os.stat(self._real(path))
        means = {UTIME_OMIT: (status.st_atime_ns, status.st_mtime_ns), UTIME_NOW: (time.time_ns(),) * 2}
        given = [means.get(given, (given,) * 2)[index] for index, given in enumerate(times or (UTIME_NOW,) * 2)]
        os.utime(self._real(path), ns=tuple(given))
        self._record("time", self._numbers[path], at=given[1])
        return 0

    def getattr(self, path, fh=None):
        status = os.lstat(self._real(path))
        names = ("mode", "nlink", "uid", "gid", "size")
        times = {f"st_{name}": getattr(status, f"st_{name}_ns") for name in ("atime", "mtime", "ctime")}
        return {f"st_{name}": getattr(status, f"st_{name}") for name in names} | times

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self._real(path))]

    def readlink(self, path):
        return os.readlink(self._real(path))

    def chmod(self, path, mode):
        os.chmod(self._real(path), mode)
        return 0

    def chown(self, path, uid, gid):
        os.chown(self._real(path), uid, gid)
        return 0

    def statfs(self, path):
        status = os.statvfs(self._real(path))
        return {name: getattr(status, name) for name in ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_frsize")}


class NotMountedError(Exception):
    """Signals that the file system could not be mounted."""


@contextmanager
def recorded(folder: Path, mount: Path, journal: Path) -> Iterator[None]:
    """Show a folder at another path, and record what happens to it there."""
    mount.mkdir()
    command = (sys.executable, "-m", "tests.power_loss.recording", str(folder), str(mount), str(journal))
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        until = time.monotonic() + PATIENCE_S
        while not os.path.ismount(mount):
            if process.poll() is not None:
                raise NotMountedError(f"exit status {process.returncode}")
            assert time.monotonic() < until
            time.sleep(0.02)
        yield
    finally:
        if process.poll() is None:
            subprocess.run(("fusermount3", "-u", str(mount)), check=True)
        process.wait(PATIENCE_S)


if __name__ == "__main__":
    # With one thread, the lines are in the order of the calls. Without `hard_remove`, a removed file that is open would
    # be renamed instead.
    folder, mount, journal = map(Path, sys.argv[1:])
    FUSE(Recorder(folder, journal), str(mount), foreground=True, nothreads=True, hard_remove=True)
