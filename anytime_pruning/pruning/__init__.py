"""Decide which weights of a network are kept, and when.

Six subpackages answer one question each: which weights may be pruned at all (`prunable`), how good is a weight
(`pruners`), how many weights are kept at each megabatch (`schedules`), which weights are kept (`selections`), which
come back while the network trains (`regrowth`), and by which rules are these combined (`protocols`). `enforcement.py`
keeps pruned weights at zero.

This package imports from `stream`, `models`, `machine` and `foundation`. Settings, files and training must never be
here: functions take plain values. `schedules` and `protocols` import no torch, because planning and verification use
them.
"""
