"""A blind test: layers by an author who knew neither the requirements nor the gallery.

The modules ``correct_*`` and ``base`` hold correct layers; each class in the others makes one
mistake, which its docstring names. They are
no part of the gallery: the suite is tried on them, not built around them.
"""
