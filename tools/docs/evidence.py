"""Regenerates the evidence: measures what is out of date, and writes the pages.

Usage: python tools/docs/evidence.py [STEP ...] [--again] [--list] [--work DIR]

A step is skipped if none of the sources that it depends on changed since it was measured. Steps
that take long go on where they were interrupted, with the files in the folder for work. What a step
prints is kept in docs/data/STEP.txt, and docs/data/stamps.json says for each step when and on what
machine it was measured, and on which commit: the last one that changed its sources.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from steps import STEPS, Step

ROOT = Path(__file__).parents[2]
DATA = ROOT / "docs" / "data"
STAMPS = DATA / "stamps.json"
_VERSIONS = ("jax", "flax", "hypothesis", "numpy")


def stamps() -> dict[str, Any]:
    """Return the stamp of every step that was measured."""
    stored: dict[str, Any] = json.loads(STAMPS.read_text(encoding="utf-8"))
    return stored


def entries(measured: dict[str, Any]) -> dict[str, Any]:
    """Return the figures with those of every step whose output is stored, and its stamp.

    Args:
        measured: The figures as they are, some of them entered by hand.
    """
    found = dict(measured)
    for name, stamp in stamps().items():
        file = DATA / f"{name}.txt"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        figures = {key: figure(how, text) for key, how in STEPS[name].figures.items() if text}
        if text or STEPS[name].output:
            shown = {key: stamp[key] for key in ("commit", "date", "machine", "command")}
            found[name] = found.get(name, {}) | shown | figures
    return found | {"evidence": _summary(found)}


def _summary(measured: dict[str, Any]) -> dict[str, Any]:
    """Return a table with a row for each step: what it shows, the data, and when it was made."""
    rows = [["step", "shows", "data", "commit", "date"]]
    for name, step in STEPS.items():
        file = step.output or f"docs/data/{name}.txt"
        place = os.path.relpath(ROOT / file, ROOT / "docs")
        link = f"[{Path(file).name}]({place})" if (ROOT / file).is_file() else "–"
        known = measured.get(name, {})
        rows.append(
            [f"`{name}`", step.does, link, known.get("commit", "–"), known.get("date", "–")]
        )
    return {"command": "tox -e evidence", "table": rows}


def figure(how: Any, text: str) -> Any:
    """Return a figure: what a pattern or a function finds in what a step printed."""
    if not isinstance(how, str):
        return how(text)
    found = re.search(how, text)
    if found is None:
        msg = f"no figure is found by {how!r}"
        raise ValueError(msg)
    number = found[1].replace(",", "")
    return float(number) if "." in number else int(number)


def digest(step: Step) -> str:
    """Return a digest of the sources that a step depends on."""
    found = hashlib.sha256(repr(step.commands).encode())
    for path in sorted({path for pattern in step.sources for path in ROOT.glob(pattern)}):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def last_change(sources: Iterable[str]) -> str:
    """Return the last commit that changed any of the sources, with a mark if they changed since."""
    paths = [f":(glob){each}" for each in sources]
    changed = _git("status", "--porcelain", "--", *paths)
    return _git("log", "-1", "--format=%h", "--", *paths) + " with changes" * bool(changed)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    cpu = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    model = cpu[1] if cpu else platform.machine()
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    return (
        f"{os.cpu_count()} cores ({model}), {platform.system()}, "
        f"Python {platform.python_version()}, {versions}, on CPU"
    )


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).is_file() else ""


def _missing(step: Step) -> list[str]:
    """Return the distributions that a step needs and that are not installed."""
    missing = []
    for name in step.needs:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing


def measure(name: str, work: Path) -> bool:
    """Run the commands of a step, keep what they print, and stamp it; return whether they ended."""
    step, started = STEPS[name], time.perf_counter()
    scripts = Path(sys.executable).parent
    places = {"work": work, "python": sys.executable, "conformance": scripts / "conformance"}
    stamp = {"commit": last_change(step.sources), "date": datetime.date.today().isoformat()}
    text = ""
    for command, shown in zip(step.commands, _shown(step), strict=True):
        print(f"{name}: {shown}", flush=True)
        done = subprocess.run(
            command.format(**places),
            shell=True,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(f"{name} ended with {done.returncode}", file=sys.stderr)
            return False
        text += f"$ {shown}\n{done.stdout.rpartition(chr(13))[2]}"
    if not step.output:
        (DATA / f"{name}.txt").write_text(text, encoding="utf-8")
    _note(name, stamp | _conditions(step, time.perf_counter() - started))
    return True


def _shown(step: Step) -> list[str]:
    """Return the commands as one would type them."""
    typed = [
        each.format(python="python", conformance="conformance", work="") for each in step.commands
    ]
    return [re.sub(r" --(work|out|resume) /?\S*| \|\| true", "", each) for each in typed]


def _conditions(step: Step, seconds: float) -> dict[str, Any]:
    return {
        "machine": _machine(),
        "load": round(os.getloadavg()[2], 1),
        "seconds": round(seconds),
        "command": "; ".join(_shown(step)),
        "sources": digest(step),
    }


def _note(name: str, stamp: dict[str, Any]) -> None:
    known = stamps() | {name: stamp}
    ordered = {each: known[each] for each in STEPS if each in known}
    STAMPS.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def update(names: Iterable[str], work: Path, *, again: bool, look: bool = False) -> list[str]:
    """Measure the steps that are out of date; return those that failed.

    Args:
        names: The steps.
        work: A folder for what long steps resume from.
        again: Measure also what is up to date.
        look: Only print what would be done.
    """
    failed = []
    for name in names:
        step = STEPS[name]
        if not again and stamps().get(name, {}).get("sources") == digest(step):
            print(f"{name}: up to date")
        elif missing := _missing(step):
            print(f"{name}: left out, because {', '.join(missing)} is not installed")
        elif look:
            print(f"{name}: out of date; about {step.minutes} min")
        elif not measure(name, work):
            failed.append(name)
    return failed


def main() -> int:
    """Measure the chosen steps and write the pages; return 1 if a step failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--again", action="store_true", help="also what is up to date")
    parser.add_argument("--list", action="store_true", help="only say what would be done")
    parser.add_argument("--work", type=Path, default=ROOT / ".evidence", metavar="DIR")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    names, work = options.steps or STEPS, options.work.resolve()
    failed = update(names, work, again=options.again, look=options.list)
    if not options.list:
        command = [sys.executable, ROOT / "tools" / "docs" / "generate.py"]
        failed += ["pages"] * subprocess.run(command, check=False).returncode
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())
