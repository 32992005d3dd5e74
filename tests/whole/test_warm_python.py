"""Test that the warm Python of the tests acts as the real one, as far as tests notice."""

import os
import signal
import subprocess
import sys
import time

import pytest
from patience import PATIENCE_S
from warm_python import warm_python

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="forks cannot be watched here")
WHERE = "import os, sys; print(os.getcwd(), sys.argv, os.environ['WORD'], sys.path[0], sys.stdin.read())"
FORKED = "import sys; print('torch' in sys.modules)"


def ends(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, **options)
    return done.returncode, done.stdout, done.stderr.splitlines()[-1:]


@pytest.mark.parametrize(
    "code",
    [
        "print('a')",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('no')",
        "import sys; print(1, file=sys.stderr)",
        "1 / 0",
        "raise KeyboardInterrupt",
        "import os; os.kill(os.getpid(), 9)",
        "import os; os.kill(os.getpid(), 15)",
        "import atexit; atexit.register(print, 'b'); print('a')",
        "import threading; threading.Timer(0.1, print, ['late']).start()",
    ],
)
def test_a_process_ends_as_one_of_the_real_python(code):
    assert ends(warm_python(), "-c", code) == ends(sys.executable, "-c", code)


def test_a_process_has_the_folder_arguments_environment_and_input_of_its_caller(tmp_path):
    options = {"cwd": tmp_path, "env": os.environ | {"WORD": "héllo", "PYTHONSAFEPATH": ""}, "input": "said"}
    status, said, _ = ends(warm_python(), "-c", WHERE, "a b", **options)
    assert (status, said) == (0, f"{tmp_path} ['-c', 'a b'] héllo {tmp_path} said\n")
    (tmp_path / "module.py").write_text(WHERE)
    status, said, _ = ends(warm_python(), "-m", "module", **options)
    assert (status, said) == (0, f"{tmp_path} ['{tmp_path}/module.py'] héllo {tmp_path} said\n")


def test_what_a_fork_cannot_serve_goes_to_the_real_python(tmp_path):
    (tmp_path / "script.py").write_text(FORKED)
    assert ends(warm_python(), "-c", FORKED)[1] == "True\n"
    # A run sets this variable for its process and for those that the process starts.
    assert ends(warm_python(), "-c", FORKED, env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": "x"})[1] == "True\n"
    assert ends(warm_python(), tmp_path / "script.py")[1] == "False\n"
    assert ends(warm_python(), input=FORKED)[1] == "False\n"
    assert ends(warm_python(), "-c", FORKED, env=os.environ | {"PYTHONHASHSEED": "1"})[1] == "False\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_ends_with_its_caller(number, tmp_path):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    caller = subprocess.Popen((warm_python(), "-c", code), stdout=subprocess.PIPE, text=True)
    process = int(caller.stdout.readline())
    caller.send_signal(number)
    assert caller.wait(PATIENCE_S) == -number
    until = time.monotonic() + PATIENCE_S
    while os.path.exists(f"/proc/{process}") and time.monotonic() < until:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{process}")
