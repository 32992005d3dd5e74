"""Check whether stored results are what they say: files, names, numbers, tables, weights, and the networks themselves.

The room imports from `runs` and the rooms below. Only `reevaluation` may import torch, so that results can be checked
where nothing can be trained. Checks yield findings and must never change what they check.
"""
