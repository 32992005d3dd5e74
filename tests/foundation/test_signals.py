import os
import signal

import pytest

from anytime_pruning.foundation.signals import Interrupted, check, deferring, handling, is_due


def tell(signum=signal.SIGTERM):
    os.kill(os.getpid(), signum)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_at_once_where_nothing_puts_it_off(signum):
    with pytest.raises(Interrupted) as caught, handling():
        tell(signum)
    assert (caught.value.signum, caught.value.is_safe) == (signum, False)
    assert str(caught.value) == f"interrupted by {signal.Signals(signum).name}; no results were written"


def test_a_first_signal_waits_for_a_safe_moment():
    with handling(), deferring():
        check()
        tell()
        assert is_due()
        with pytest.raises(Interrupted) as caught:
            check()
    assert caught.value.is_safe


def test_a_second_signal_is_not_put_off():
    with handling(), deferring():
        tell()
        with pytest.raises(Interrupted) as caught:
            tell(signal.SIGINT)
    assert (caught.value.signum, caught.value.is_safe) == (signal.SIGINT, False)


def test_what_began_while_signals_were_put_off_is_ended_if_nothing_checks():
    """Results are written in this way, so that a late signal finds a finished run."""
    with handling(), deferring():
        tell()
    check()


def test_a_signal_that_the_starter_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with handling(), deferring():
            tell(signal.SIGINT)
            assert not is_due()
    finally:
        signal.signal(signal.SIGINT, before)


def test_afterwards_signals_are_handled_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with handling():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert not is_due()
