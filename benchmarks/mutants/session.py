"""Run the tests of some rooms once, and for every mutant again in a child process that has everything loaded.

`python -m benchmarks.mutants.session JOBS ROOM ...` is called in a copy of the checkout, whose modules it changes.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import cast

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from benchmarks.mutants.outcomes import KILLED, SURVIVED, UNTESTED, Outcome
from benchmarks.mutants.rooms import LEFT_OUT, PACKAGE, ROOMS
from benchmarks.mutants.sources import Mutant, write_mutants

# Processor time for the tests of one mutant; they are called from the fastest to the slowest. On a slow or busy machine
# every test takes longer, so this is several times what the tests that notice take on a fast one.
SECONDS = 15.0
# A test that takes longer when it is first called may have made a fixture of the session, which no child has to make.
SLOW = 1.0


class MutantSession:
    """Takes the place of pytest's loop over the tests.

    Args:
        mutants: what is tried.
        jobs: child processes at once.

    Attributes:
        outcomes: `killed`, `survived` or `no test` by the name of a mutant.
        failed: the tests that fail without a mutant; nothing is tried then.
    """

    def __init__(self, mutants: Sequence[Mutant], jobs: int):
        self.mutants, self.jobs = mutants, jobs
        self.outcomes: dict[str, str] = {}
        self.failed: list[str] = []
        self._is_child = False
        self._seconds: dict[str, float] = {}
        self._tests: dict[str, list[pytest.Item]] = defaultdict(list)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests without a mutant, and then each mutant's."""
        if session.testsfailed:
            self.failed.append("collection")
            return True
        self._run_originals(session.items)
        if not self.failed:
            self._try_all()
        return True

    def _run_originals(self, items: Sequence[pytest.Item]) -> None:
        """Find out which tests call which function, and how long they take."""
        set_mutant_under_test("stats")
        for item, following in _with_next(items):
            functions = self._run_original(item, following)
            if self._seconds[item.nodeid] > SLOW:
                functions = self._run_original(item, following)
            for function in functions:
                self._tests[function].append(item)
        for function, tests in self._tests.items():
            tests.sort(key=lambda item: self._seconds[item.nodeid])
            sums = accumulate(self._seconds[item.nodeid] for item in tests)
            self._tests[function] = [item for item, spent in zip(tests, sums) if spent <= SECONDS] or tests[:1]

    def _run_original(self, item: pytest.Item, following: pytest.Item) -> set[str]:
        """Run a test without a mutant, note its seconds, and return the functions that it calls."""
        _clear_caches()  # every test that needs a result must be seen to call the function
        state()._stats.clear()
        started = time.process_time()
        reports = runtestprotocol(item, log=False, nextitem=following)
        self._seconds[item.nodeid] = time.process_time() - started
        if any(report.failed for report in reports):
            self.failed.append(item.nodeid)
            print("\n".join(str(report.longrepr) for report in reports if report.failed))
        return set(state()._stats)

    def _try_all(self) -> None:
        """Try the mutants, several at once."""
        _clear_caches()
        gc.collect()
        gc.freeze()
        running: dict[int, Mutant] = {}
        for mutant in self.mutants:
            if mutant.function not in self._tests:
                self.outcomes[mutant.name] = UNTESTED
                continue
            if len(running) == self.jobs:
                self._wait(running)
            running[self._start(mutant)] = mutant
        while running:
            self._wait(running)

    def _wait(self, running: dict[int, Mutant]) -> None:
        child, status = os.wait()
        mutant = running.pop(child)
        self.outcomes[mutant.name] = SURVIVED if status == 0 else KILLED
        if len(self.outcomes) % 100 == 0:
            print(f"{len(self.outcomes)} of {len(self.mutants)} mutants", file=sys.__stderr__, flush=True)

    def _start(self, mutant: Mutant) -> int:
        """Start a child that ends with status 0 if no test fails."""
        child = os.fork()
        if child:
            return child
        tests = self._tests[mutant.function]
        # A mutant may wait for ever, and then it counts as noticed: nobody would take its results.
        seconds = 5 + round(5 * sum(self._seconds[item.nodeid] for item in tests))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        signal.alarm(60 * seconds)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        set_mutant_under_test(mutant.name)
        self._is_child = True
        try:
            for item, following in _with_next(tests):
                runtestprotocol(item, log=False, nextitem=following)
            os._exit(0)
        finally:
            os._exit(1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """End a child at the first failure; a report with a traceback would take longer than most tests."""
        if self._is_child and call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            os._exit(1)


def _with_next(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item]]:
    """Yield each test with the next one, and the last with the session, whose fixtures stay.

    Children would spend seconds on making these fixtures again, and might exceed their time without any fault.
    """
    return zip(items, [*items[1:], cast(pytest.Item, items[-1].session)])


def _clear_caches() -> None:
    """Forget what the originals have computed, which must not serve a mutant."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == PACKAGE]
    for thing in [thing for module in modules for thing in vars(module).values()]:
        if callable(clear := getattr(thing, "cache_clear", None)):
            clear()


def main(rooms: Sequence[str], jobs: int) -> int:
    """Write the mutants of rooms over their modules, try them, and write outcomes.json."""
    room_of = {mutant: room for room in rooms for mutant in write_mutants(ROOMS[room].modules, Path.cwd())}
    session = MutantSession(list(room_of), jobs)
    left_out = [option for test in LEFT_OUT for option in ("--deselect", test)]
    tests = sorted({test for room in rooms for test in ROOMS[room].tests})
    pytest.main(["-q", "-p", "no:cacheprovider", *tests, *left_out], plugins=[session])
    if session.failed:
        print(f"error: these tests fail without a mutant: {', '.join(session.failed)}", file=sys.stderr)
        return 1
    outcomes = [Outcome(room, each.place, each.change, session.outcomes[each.name]) for each, room in room_of.items()]
    Path("outcomes.json").write_text(json.dumps([asdict(each) for each in outcomes]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], int(sys.argv[1])))
