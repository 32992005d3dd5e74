"""Let processes of several users take turns, and say who holds what.

`locks.py` takes locks and waits for them, `holders.py` writes into a lock file who holds it, and reads it.
"""
