"""Draw the pictures of a study, with one module for each kind of picture.

The function `draw` in each module takes rows of collected tables and returns a matplotlib figure and its numbers.
`parts` serves several kinds of pictures. This package imports from the rest of `figures`, but never from
`catalog` or `draw`, which know the pictures by name. It must never read or write files.
"""
