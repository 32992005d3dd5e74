"""Call functions as other users of the machine."""

import multiprocessing
import os
import tempfile
from pathlib import Path

import pytest
from patience import PATIENCE_S

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of other users")
# No user of the machine needs to have these numbers.
ALICE, BOB, GROUP = 65001, 65002, 65000


def run_as(uid, function, umask=0o022):
    """Call a function in a process of another user, and return what it returned or the error that it raised."""
    ours, theirs = multiprocessing.get_context("fork").Pipe()

    def become():
        os.umask(umask)
        os.setgroups([])
        os.setgid(GROUP)
        os.setuid(uid)
        try:
            theirs.send(function())
        except Exception as error:
            theirs.send(error)

    process = multiprocessing.get_context("fork").Process(target=become)
    process.start()
    assert ours.poll(PATIENCE_S)
    answer = ours.recv()
    process.join()
    return answer


@pytest.fixture
def for_all(tmp_path):
    """Return a folder that other users can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    return tmp_path
