"""The operations: everything that the suite does to an implementation, and nothing else.

An operation is a function of live objects, arrays and plain values. It is executed where the
implementation is imported and returns arrays, facts, or objects that stay there. ``catalogue``
lists all of them, ``values`` defines what they take and return, and ``executor`` executes them.
"""
