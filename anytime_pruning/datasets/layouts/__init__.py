"""Find out which files of a folder or archive are the images of which class, and say what is left out.

A folder and an archive are both seen as a tree of names (`tree.py`), so that they always mean the same. Everything
else in this package works on the names alone; nothing here decodes an image.
"""
