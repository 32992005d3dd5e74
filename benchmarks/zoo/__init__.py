"""Try other people's networks: score them, choose masks, train a tiny run, load its network, and write it as ONNX.

`networks.py` lists the networks, `steps.py` tries one of them in a process of its own, `table.py` writes the outcomes,
and `__main__.py` calls one process after another.
"""
