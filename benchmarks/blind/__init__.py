"""A blind test: layers by an author who knew neither the requirements nor the gallery.

Each class under the modules of faults makes one mistake, which its docstring names. They are
no part of the gallery: the suite is tried on them, not built around them.
"""
