"""Writing to what connects the process with the judge: pipes, shared memory, standard streams."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import sys
import threading
import time
from pathlib import Path

from conformance.adapters.operations.wire import encode
from support.forgeries import End, before_each_call, submission
from support.forgeries.layers import Always42, EpsOutside, Right
from support.forgeries.parents import judging_process

_NAME = "support.forgeries.channel:"


def _verdict(requirement):
    return {
        "requirement": requirement,
        "implementation": _NAME,
        "kind": "nnx.Module",
        "outcome": "conforms",
        "level": "must",
        "cases": 16,
        "rejected": 0,
        "cut": 0,
        "comparisons": 500,
        "worst": 0.5,
        "worst_quantity": "y",
        "seconds": 0.1,
        "violation": None,
        "detail": "",
    }


def _asked() -> str:
    """Return the requirement that is being judged, which is in a frame or nowhere."""
    frame = sys._getframe(1)
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if isinstance(value, str) and re.fullmatch(r"BN-[A-Z]+-\d+", value):
                return value
        frame = frame.f_back
    return "BN-EVAL-1"


def _forged_reply(name):
    result = _verdict(_asked()) | {"implementation": _NAME + name}
    return encode({"result": result, "refusal": "", "raised": "", "effects": []})


def _descriptors(process="self"):
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            if re.match(r"(pipe|socket):", str(link.readlink())):
                yield link


def _write_once(name):
    """Return a function that writes a reply to every pipe of this process, in its first call."""
    asked = set()

    def write():
        if _asked() in asked:
            return
        asked.add(_asked())
        for link in list(_descriptors()):
            with contextlib.suppress(OSError):
                os.write(int(link.name), _forged_reply(name))

    return write


@submission(Always42, end=End.LOSS)
def reply_before_the_reply():
    """Writes a reply of its own to every pipe, ahead of that of the suite."""
    return before_each_call(Always42, _write_once("reply_before_the_reply"))


@submission(Always42, end=End.LOSS)
def reply_and_exit():
    """Writes a reply of its own, and is gone with exit code 0."""
    write = _write_once("reply_and_exit")

    def answer():
        write()
        os._exit(0)

    return before_each_call(Always42, answer)


@submission(EpsOutside, end=End.LOSS)
def reply_by_way_of_the_parent():
    """Opens the pipes of the parent and writes its reply there."""
    parent = judging_process()
    asked = set()

    def write():
        if _asked() in asked:
            return
        asked.add(_asked())
        for link in list(_descriptors(parent)):
            with contextlib.suppress(OSError):
                place = os.open(link, os.O_WRONLY | os.O_NONBLOCK)
                os.write(place, _forged_reply("reply_by_way_of_the_parent"))
                os.close(place)

    return before_each_call(EpsOutside, write)


@submission(Always42, end=End.RUN)
def replies_before_any_question():
    """Answers, while it is imported, the next ten questions."""
    replies = [_forged_reply("replies_before_any_question") for _ in range(10)]
    for link in list(_descriptors()):
        with contextlib.suppress(OSError):
            os.set_blocking(int(link.name), False)
            os.write(int(link.name), b"".join(replies))


@submission(Always42, end=End.LOSS)
def the_answers_of_another_process():
    """Puts a pipe of its own between the suite and its replies, and corrects what passes."""
    for link in list(_descriptors()):
        number = int(link.name)
        with contextlib.suppress(OSError):
            os.write(number, b"")  # only the writable ones
            out = os.dup(number)
            reader, writer = os.pipe()
            os.dup2(writer, number)
            threading.Thread(target=_correct, args=(reader, out), daemon=True).start()


def _correct(reader, out):
    while data := os.read(reader, 1 << 20):
        text = re.sub(rb'"violation": \{.*\}, "detail"', b'"violation": null, "detail"', data)
        os.write(out, text.replace(b'"violates"', b'"conforms"'))


@submission(Always42, end=End.LOSS)
def nonsense_in_the_pipes():
    """Writes what no protocol has: numbers, zeros and unfinished lines."""
    told = []

    def write():
        if told:
            return
        told.append(1)
        for link in list(_descriptors()):
            with contextlib.suppress(OSError):
                os.write(int(link.name), b"\0\0\0\xff{]1e999\n[" + b"9" * 1000)

    return before_each_call(Always42, write)


def _shared_pages():
    """Yield the files that this process shares with the judge by mapping them."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "/conformance-" in line or "/memfd:" in line or "/dev/shm/" in line:
            with contextlib.suppress(OSError):
                yield Path(line.split(maxsplit=5)[5].split(" (deleted)")[0])


def _pump():
    """Move the counter of every shared page for ever, as if there were progress."""
    pages = []
    for path in dict.fromkeys(_shared_pages()):
        with contextlib.suppress(OSError), path.open("r+b") as file:
            pages.append(mmap.mmap(file.fileno(), 0))
    while True:
        for page in pages:
            page[0] = (page[0] + 1) % 256
        time.sleep(0.05)


@submission(Always42, end=End.LOSS)
def progress_without_end():
    """Never returns from a call, while a thread reports progress."""
    threading.Thread(target=_pump, daemon=True).start()
    return before_each_call(Always42, lambda: time.sleep(3600))


@submission(Always42, end=End.LOSS)
def last_words():
    """Fills every shared page with nonsense and is gone."""

    def leave():
        for path in dict.fromkeys(_shared_pages()):
            with contextlib.suppress(OSError), path.open("r+b") as file:
                page = mmap.mmap(file.fileno(), 0)
                page[:] = b"\xff" * len(page)
        os._exit(0)

    return before_each_call(Always42, leave)


@submission(Always42, end=End.LOSS)
def conforms_on_standard_output():
    """Prints the conclusion of a run and ends with exit code 0."""

    def leave():
        text = b"\nconforms to 84 of 84 requirements.\n"
        for number in range(3):
            with contextlib.suppress(OSError):
                os.write(number, text)
        os._exit(0)

    return before_each_call(Always42, leave)


@submission(Right)
def neighbour_closes_what_it_inherits():
    """Right: redirects its standard streams and opens pipes of its own."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    reader, writer = os.pipe()
    os.write(writer, b"spam\n")
    os.read(reader, 5)


@submission(Right)
def neighbour_shares_memory():
    """Right: maps a file of its own and shares memory with nobody."""
    page = mmap.mmap(-1, 4096)
    page[:4] = b"spam"
