"""Check whether stored results are complete and correct: files, names, numbers, tables, weights and networks.

This package imports from `runs` and the rooms below it. Only `reevaluation` may import torch, so that results can be
checked on machines that cannot train. Checks yield findings, and they must never change the results.
"""
