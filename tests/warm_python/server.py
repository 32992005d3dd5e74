"""Import packages, and fork a process for each command line that a client sends.

Arguments:
    the program of the clients, beside which the server listens

The server ends when its standard input closes.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

gc.disable()  # because imports make no garbage

# ruff: noqa: E402
# The project's own package is not among them: each checkout has its own.
import filelock  # noqa: F401
import ipykernel.kernelapp  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import nbclient  # noqa: F401
import nbconvert  # noqa: F401
import pandas  # noqa: F401
import PIL.Image  # noqa: F401
import psutil  # noqa: F401
import pydantic  # noqa: F401
import safetensors.torch  # noqa: F401
import scipy.stats  # noqa: F401
import seaborn  # noqa: F401
import snakemake.cli
import torch  # noqa: F401
import tqdm  # noqa: F401
import yaml  # noqa: F401
from client import read_at_start


def next_request(listener: socket.socket) -> tuple[list[str], dict[str, str]]:
    """Wait for requests; return in a fork, which has the files and the folder of its client, what to run there."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
            content = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
            folder, arguments, environment = json.loads(content)
            if (program := os.fork()) == 0:
                connection.close()
                for number, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                os.chdir(folder)
                return arguments, environment
            watch(program, connection, descriptors)
        connection.close()
    os._exit(0)


def watch(program: int, connection: socket.socket, descriptors: list[int]) -> None:
    """Pass signals of the client to its fork, kill the fork if the client is gone, and send how the fork ended."""
    for descriptor in (0, 1, 2, *descriptors):
        os.close(descriptor)
    ended = os.pidfd_open(program)
    while ended not in (ready := select.select([ended, connection], [], [])[0]) and connection in ready:
        number = connection.recv(1)
        os.kill(program, number[0] if number else signal.SIGKILL)
        if not number:
            break
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    with suppress(BrokenPipeError):  # of a client that is gone
        connection.sendall(status.to_bytes(4, "big", signed=True))
    os._exit(0)


def main(program: Path) -> None:
    snakemake.cli.get_argument_parser()  # which imports the plugins
    os.chdir(program.parent)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    listener.listen(64)
    Path("environment").write_text(json.dumps(read_at_start(dict(os.environ))), encoding="utf-8")
    print("ready", flush=True)
    gc.freeze()  # so that a fork does not write to the pages of all objects, which would copy them
    gc.enable()
    run(program, *next_request(listener))


def run(program: Path, arguments: list[str], environment: dict[str, str]) -> None:
    """Do what Python does when it starts, run a command line, and end as Python ends."""
    os.environ.clear()
    os.environ.update(environment)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        file = os.fdopen(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)
        file.reconfigure(line_buffering=name == "stderr", write_through=bool(environment.get("PYTHONUNBUFFERED")))
        setattr(sys, name, file)
    sys.executable = str(program)
    sys.argv[:] = arguments
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    given = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:1] = [*([] if environment.get("PYTHONSAFEPATH") else [os.getcwd()]), *given]
    status = end_of(sys.argv.pop(0))
    # Python would take every module apart, which takes longer than a short command.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def end_of(option: str) -> int:
    """Run the module or the code that follows an option; return the exit status, or minus the number of a signal."""
    try:
        if option == "-m":
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            code, sys.argv[0] = sys.argv[0], "-c"
            exec(code, {"__name__": "__main__"})
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        traceback.print_exc()
        return -signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
