"""Drives a command that speaks the protocol of the suite: lines of JSON on its standard streams.

Each line of standard input is a request, with a number that nobody can guess; the command answers
each with one line that repeats the number. ``command-protocol.json`` is the JSON Schema of both.
What a command answers are arrays and names, as from any layer; nothing of it is executed.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from conformance.adapters import call_hooks
from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import ARRAYS, COMMAND, COUNT, Config
from conformance.requirements.deviations import RENAMED, Deviation

PROTOCOL = 1
"""The version of the protocol."""

_DTYPES = ("bool", "float16", "float32", "float64", "int32", "int64")
_OFFERS = {"gradients"}
_CHUNK = 1 << 20
_SHOWN = 80
"""Characters of an answer that a message shows."""

_PATIENCE = 5.0
"""Seconds in which a command that has closed its output may end."""


class CommandRefused(Exception):
    """A command answered a request with an error."""


class CommandProcess:
    """A command that runs, and the lines to and from it.

    Args:
        words: The program and its arguments; no shell is involved.

    Raises:
        AdapterError: It cannot be started; or, from any request, it does not follow the protocol.
        CommandRefused: From any request, it answers with an error.
    """

    def __init__(self, words: list[str]) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603  named by the user
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            msg = f"the command {words[0]!r} cannot be started: {error.strerror or error}"
            raise AdapterError(msg) from error
        self._read = b""
        self._forgotten: list[int] = []

    def ask(self, request: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return the answer.

        Args:
            request: What is asked for.
            **fields: Its other fields; arrays are encoded.
        """
        if self._forgotten:
            layers, self._forgotten = self._forgotten, []
            self.ask("forget", layers=layers)
        number = secrets.token_hex(8)
        packed = {name: _pack(value) for name, value in fields.items()}
        line = json.dumps({"id": number, "request": request, **packed})
        assert self._process.stdin is not None  # noqa: S101  it is a pipe
        with suppress(OSError):  # it has ended; what it wrote before that may say why
            self._process.stdin.write(f"{line}\n".encode())
        answer = self._receive(number)
        if "error" in answer:
            raise CommandRefused(str(answer["error"]))
        return answer

    def forget(self, layer: int) -> None:
        """Let the command forget a layer with the next request."""
        self._forgotten.append(layer)

    def _receive(self, number: str) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101  it is a pipe
        parts = [self._read]
        while b"\n" not in parts[-1]:
            parts.append(os.read(self._process.stdout.fileno(), _CHUNK))
            if not parts[-1]:
                self._end()
        line, _, self._read = b"".join(parts).partition(b"\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            shown = line[:_SHOWN].decode("utf-8", "replace")
            msg = f"the command answered {shown!r}, which is not JSON: write logs to standard error"
            raise AdapterError(msg) from error
        if not isinstance(answer, dict) or answer.get("id") != number:
            msg = "the command's answer does not repeat the id of the request"
            raise AdapterError(msg)
        return answer

    def _end(self) -> None:
        """End the process as the command ended, if it is a worker; otherwise raise.

        Raises:
            AdapterError: The process is one that also judges.
        """
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            code = 0  # it has closed its output, and goes on
        if not call_hooks.is_watched():
            raise AdapterError(f"the command ended with exit code {code}")
        sys.stderr.flush()
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)


@dataclass(slots=True, eq=False)
class CommandLayer:
    """A layer that a command keeps, under a number."""

    process: CommandProcess
    config: Config
    number: int = field(default_factory=lambda: secrets.randbits(48))

    def __post_init__(self) -> None:
        self.process.ask("create", layer=self.number, **asdict(self.config))

    def __del__(self) -> None:
        self.process.forget(self.number)

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        flag = bool(use_running_average)
        answer = self.process.ask("call", layer=self.number, x=_input(x), use_running_average=flag)
        return _array(answer, "y")

    def read(self) -> dict[str, Any]:
        answer = self.process.ask("read", layer=self.number)
        return {name: _array(answer, name) for name in (*ARRAYS, COUNT) if name in answer}

    def write(self, values: Mapping[str, Any]) -> None:
        arrays = {name: np.asarray(value) for name, value in values.items()}
        self.process.ask("write", layer=self.number, arrays=arrays)

    def call(self, x: Any, *, evaluate: bool) -> CommandCall:
        """Return the call on x, (N, D), of a copy of the layer."""
        copied = CommandLayer(self.process, self.config)
        copied.write(self.read())
        return CommandCall(copied, _input(x), evaluate)


@dataclass(frozen=True, slots=True)
class CommandCall:
    """A call of a layer that nothing else uses."""

    layer: CommandLayer
    x: Any
    evaluate: bool

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of Σ w·y, w (N, D): with respect to gamma, beta and x."""
        answer = self._pull_back({"y": np.asarray(w)})
        return _array(answer, "gamma"), _array(answer, "beta"), _array(answer, "x")

    def pullback(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        """Return the backward pass; the command runs the forward pass each time."""
        return self.gradients

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, (N, D)."""
        cotangents = {"running_mean": np.asarray(of_mean), "running_var": np.asarray(of_var)}
        return _array(self._pull_back(cotangents), "x")

    def _pull_back(self, cotangents: dict[str, Any]) -> dict[str, Any]:
        return self.layer.process.ask(
            "gradients",
            layer=self.layer.number,
            x=self.x,
            use_running_average=self.evaluate,
            cotangents=cotangents,
        )


def load_command(name: str) -> Implementation:
    """Start a command and return the implementation that it says it is.

    Args:
        name: ``command:`` and the words of the command, quoted as for a shell.

    Raises:
        AdapterError: It cannot be started, or says something that does not follow the protocol.
    """
    try:
        words = shlex.split(name.removeprefix(COMMAND))
    except ValueError as error:
        raise AdapterError(f"{name}: {error}") from error
    if not words:
        raise AdapterError(f"{name}: expected a command, such as {COMMAND}node my_norm.mjs")
    process = CommandProcess(words)
    said = process.ask("describe", protocol=PROTOCOL)
    offers = set(_names(said, "offers", _OFFERS))
    deviations = _names(said, "deviations", set(Deviation.__members__))
    if said.get("protocol") != PROTOCOL:
        msg = f"the command speaks protocol {said.get('protocol')!r}, the suite {PROTOCOL}"
        raise AdapterError(msg)
    return Implementation(
        name=name,
        build=partial(CommandLayer, process),
        own_gradients="gradients" in offers,
        deviations=frozenset(Deviation[each] for each in deviations),
        kind="command",
    )


def _names(said: Mapping[str, Any], key: str, known: set[str]) -> list[str]:
    names = said.get(key, [])
    if not isinstance(names, list) or not known.issuperset(map(str, names)):
        msg = f"the command describes {key} as {names!r}; known are {', '.join(sorted(known))}"
        renamed = [f"{each} is now {RENAMED[each]}" for each in RENAMED if each in str(names)]
        raise AdapterError("; ".join([msg, *renamed]))
    return names


def _input(x: Any) -> Any:
    """Return an input as a NumPy array, in the dtype that it has."""
    return np.ascontiguousarray(x)


def _pack(value: Any) -> Any:
    """Return what stands for a value in JSON."""
    if isinstance(value, dict):
        return {name: _pack(each) for name, each in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.name not in _DTYPES:
        raise TypeError(f"an array of {value.dtype.name} cannot be sent to a command")
    data = value.astype(value.dtype.newbyteorder("<")).tobytes()
    shape, text = list(value.shape), base64.b64encode(data).decode("ascii")
    return {"dtype": value.dtype.name, "shape": shape, "data": text}


def _array(answer: Mapping[str, Any], name: str) -> Any:
    """Return an array of an answer.

    Raises:
        AdapterError: It is missing, or is not an array.
    """
    try:
        packed = answer[name]
        dtype = _dtype(packed["dtype"]).newbyteorder("<")
        data = base64.b64decode(packed["data"], validate=True)
        array = np.frombuffer(data, dtype).reshape([int(size) for size in packed["shape"]])
    except KeyError as error:
        raise AdapterError(f"the command's answer has no {error.args[0]!r} in {name!r}") from error
    except (TypeError, ValueError) as error:
        raise AdapterError(f"the command's {name} is not an array: {error}") from error
    return array.astype(dtype.newbyteorder("="))


def _dtype(name: str) -> np.dtype[Any]:
    if name not in _DTYPES:
        raise ValueError(f"dtype {name!r} is none of {', '.join(_DTYPES)}")
    return np.dtype(name)
