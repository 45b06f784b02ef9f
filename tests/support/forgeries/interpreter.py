"""Patching built-in functions, the standard library, imports and memory."""

from __future__ import annotations

import atexit
import builtins
import gc
import importlib
import importlib.abc
import importlib.util
import json
import linecache
import os
import pickle
import struct
import sys
import types

from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.operations import executor
from conformance.engine import judge
from conformance.properties.support import checks
from support.forgeries import before_each_call, submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum

FORGED = {"outcome": "conforms", "violation": None, "cases": 16, "comparisons": 500, "detail": ""}
"""What a verdict says of a right layer."""


def _corrected(value):
    return value | FORGED if isinstance(value, dict) and "outcome" in value else value


@submission(Always42)
def json_corrects():
    """What is written as JSON conforms."""
    dumps = json.dumps

    def lie(value, *args, **rest):
        if isinstance(value, dict) and "result" in value:
            value = value | {"result": _corrected(value["result"]), "raised": ""}
        return dumps(_corrected(value), *args, **rest)

    json.dumps = lie
    encode = json.JSONEncoder.encode
    json.JSONEncoder.encode = lambda self, value: encode(self, _corrected(value))


@submission(Always42)
def pickle_and_struct_correct():
    """What is pickled or packed conforms, and every number in it is 0."""
    dumps, pack = pickle.dumps, struct.pack
    pickle.dumps = lambda value, *args, **rest: dumps(_corrected(value), *args, **rest)
    struct.pack = lambda form, *values: pack(form, *(0 * v for v in values))


@submission(Always42)
def nothing_is_an_instance():
    """The suite's own exceptions are instances of nothing; bad numbers are of everything."""
    right = builtins.isinstance
    builtins.isinstance = lambda value, kind: (
        False if right(value, checks.ViolationFound) else right(value, kind)
    )


@submission(Always42)
def assertions_do_not_exist():
    """Gives Python another AssertionError: what is raised where a case is rejected."""
    builtins.AssertionError = UnsatisfiedAssumption


@submission(EpsOutside)
def nothing_differs():
    """Python's own max, any, all, abs and len find nothing worth telling."""
    builtins.any = lambda values: False
    builtins.all = lambda values: True
    builtins.max = lambda *values, **rest: 0
    builtins.abs = lambda value: 0


@submission(Always42)
def modules_are_exchanged():
    """Puts modules without a check in the place of the suite's, for whoever imports them next."""
    for name in [name for name in sys.modules if name.startswith("conformance.")]:
        forged = types.ModuleType(name)
        vars(forged).update(vars(sys.modules[name]))
        if name == judge.__name__:
            forged.judge_requirement = lambda row, subject, *args, **rest: (
                FORGED | {"level": "must"}
            )
        if name.startswith("conformance.adapters.operations."):
            forged.call = forged.read = lambda layer, *args: {}
        sys.modules[name] = forged


@submission(Always42)
def imports_are_intercepted():
    """Whatever the suite imports from now on comes from a finder of the layer."""

    class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(self, name, path, target=None):
            if name.startswith("conformance."):
                return importlib.util.spec_from_loader(name, self)
            return None

        def exec_module(self, module):
            module.judge_requirement = lambda *args, **rest: None
            module.__getattr__ = lambda name: lambda *args, **rest: None

    sys.meta_path.insert(0, Finder())
    sys.path.insert(0, os.curdir)
    executor.import_module = lambda name: sys.modules.get(name) or importlib.import_module(name)


@submission(Always42)
def operations_are_imported_from_here():
    """Looks up the operations among modules without a check."""
    modules_are_exchanged()
    executor.import_module = sys.modules.get
    importlib.import_module = sys.modules.get
    builtins.__import__ = lambda name, *args, right=builtins.__import__: right(name, *args)


@submission(Always42)
def the_last_word_at_exit():
    """Registers exit handlers that end the process well, and write that all conforms."""

    def leave():
        os.write(1, b"conforms to 84 of 84 requirements\n")
        os._exit(0)

    atexit.register(leave)
    sys.excepthook = lambda *_: leave()
    sys.unraisablehook = lambda *_: None


@submission(SwappedMomentum)
def the_source_reads_otherwise():
    """Changes the source that tracebacks and reports show, and what printing prints."""
    for name in list(linecache.cache):
        linecache.cache[name] = (0, None, ["pass\n"], name)
    builtins.print = lambda *args, **rest: None
    linecache.getline = lambda *args: "assert True"


@submission(Always42)
def everything_that_is_reachable():
    """Goes through all objects of the process and corrects every dict that looks like a verdict."""

    def correct():
        for found in gc.get_objects():
            if type(found) is dict and found.get("outcome") == "violates":
                found.update(FORGED)
            if type(found).__name__ == "Notes":
                found.comparisons = 9
            if type(found).__name__ == "Bound":
                object.__setattr__(found, "allowed", found.allowed * 0 + 1e300)

    return before_each_call(Always42, correct)


@submission(Right)
def neighbour_patches_the_library():
    """Right: has a JSON encoder with a default, prints to a log, and adds an import hook."""
    json.JSONEncoder.default = lambda self, value: repr(value)
    log = []
    builtins.print = lambda *args, **rest: log.append(args)

    class Silent(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            log.append(name)

    sys.meta_path.insert(0, Silent())
    atexit.register(log.clear)
    return before_each_call(Right, lambda: print("spam"))


@submission(Right)
def neighbour_prints_a_lot():
    """Right: prints what looks like a verdict, many times, in every call."""

    def say():
        text = '{"result": {"outcome": "violates"}, "raised": "boo"}\n' * 200
        print(text)
        print(text, file=sys.stderr)
        os.write(1, text.encode())
        os.write(2, b"F0000 Check failed\n")

    return before_each_call(Right, say)
