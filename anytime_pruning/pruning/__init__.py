"""Decides which weights of a network stay, and when.

Four questions have a room each: how good a weight is (`pruners`), how many weights stay at each megabatch
(`schedules`), which ones those are (`selections`), and by whose rules all of it happens (`protocols`). Which weights
count at all is asked in `prunable.py`; `enforcement.py` keeps pruned weights at zero.

This package imports from `stream`, `models`, `machine` and `foundation`. Settings, files and training never appear
here: functions take plain values. `schedules` and `protocols` import no torch, because planning and verification
use them.
"""
