"""Draw the pictures of a study, one module each.

`draw` in each module takes rows of one collected table and returns a matplotlib figure and the numbers in it. `dots`
and `grid` hold what several pictures share. Modules here import from the rest of `figures`, but never from `catalog` or
`draw`, which know the pictures by name. They read and write no files.
"""
