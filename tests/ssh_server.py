"""Start a real OpenSSH server for tests, on the loopback device and with its own keys."""

import getpass
import os
import socket
import subprocess
import time
from pathlib import Path

from patience import PATIENCE_S

SSHD = Path("/usr/sbin/sshd")


def closed_port() -> int:
    """Return a port at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class SSHServer:
    """Run OpenSSH on the loopback device, with its keys and its log in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        for key in ("host", "right", "wrong"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(command, check=True)
        self.port = closed_port()
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/right.pub\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n"
        )
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd needs this folder when root starts it
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=self.log)
        self.url = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{folder}/store"
        self._wait()

    def _wait(self) -> None:
        for _ in range(10 * PATIENCE_S):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise TimeoutError((self.folder / "log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()
