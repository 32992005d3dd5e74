"""Let the server run a command line, and end as it ended. This is started with `-IS`, so that it takes 20 ms.

Arguments:
    the program that was called, beside which the server listens
    the arguments of Python
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

# Python and matplotlib read these variables when they start or are imported. A fork can follow the second ones later.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MPL")
FOLLOWED = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


def read_at_start(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that must be those of the server."""
    return {k: v for k, v in environment.items() if k.startswith(READ_AT_START) and k not in FOLLOWED}


def main(program: str, arguments: list[str]) -> int:
    environment, folder = dict(os.environ), Path(program).parent
    same = json.loads((folder / "environment").read_text()) == read_at_start(environment)
    if not same or len(arguments) < 2 or arguments[0] not in ("-m", "-c"):
        os.execv(sys.executable, [sys.executable, *arguments])
    connection = socket.socket(socket.AF_UNIX)
    request = json.dumps((os.getcwd(), arguments, environment)).encode()
    # The path of a socket may have 107 bytes, and that of a temporary folder may be longer.
    os.chdir(folder)
    connection.connect("socket")
    socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
    connection.sendall(request)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: connection.send(bytes([number])))
    status = int.from_bytes(connection.recv(4), "big", signed=True)
    if status < 0:
        with suppress(OSError):  # of a signal that nobody can handle
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
