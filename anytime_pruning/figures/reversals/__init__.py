"""Test whether a curve over megabatches moves back by more than noise around a monotone curve does.

`curves` smooths curves and measures how far they turn, `noise` fits autocorrelated noise, and `null` simulates monotone
curves with such noise. This package knows nothing of tables, and imports nothing from the rest of `figures`.
"""
