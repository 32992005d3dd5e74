"""Lose power: record what programs do to a folder, and make the folder as a loss of power would have left it.

`recording.py` is a file system in user space that passes every call on to a folder and writes a line for each change.
`losing.py` takes the lines up to some moment, and drops changes that no `fsync` had made durable, in any combination.
This is harsher than common file systems, which keep the order of some changes.
"""
