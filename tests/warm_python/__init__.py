"""Give tests a Python whose packages are imported already, because imports take most of a short process.

A server imports them once. The programs `python` and `snakemake` that `warm_python` makes ask it for a fork, which runs
a module or a piece of code with the caller's files, folder and environment. What a fork cannot serve goes to the real
Python.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from shlex import quote

HERE = Path(__file__).parent
# As the program of this name does, it looks for no packages in the working folder.
SNAKEMAKE = (
    "import os, sys; sys.path = [folder for folder in sys.path if folder not in ('', os.getcwd())]; "
    "from snakemake.cli import main; main()"
)


@cache
def warm_python() -> Path:
    """Start the server of this process once, and return the program: the real one if forks cannot be watched here."""
    if not hasattr(os, "pidfd_open"):
        return Path(sys.executable)
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = folder / "python"
    call = f"exec {quote(sys.executable)} -IS {quote(str(HERE / 'client.py'))} {quote(str(program))}"
    for name, first in (("python", ""), ("snakemake", f"-c {quote(SNAKEMAKE)}")):
        (folder / name).write_text(f'#!/bin/sh\n{call} {first} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    # Only this process holds the other end of the pipe, and the server ends when it closes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(
        [sys.executable, HERE / "server.py", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # whose clients pass signals of a terminal on
    )
    assert server.stdout.readline() == b"ready\n"
    atexit.register(server.stdin.close)
    return program
