"""A run over two hosts, for real: its report is compared with that of one process.

The hosts are two network namespaces of this machine with names of their own, joined by a virtual
cable; in the second runs an ssh server, through which pytest-xdist starts a worker. Needs Linux,
root, ``ip``, ``unshare``, ``ssh`` and ``sshd``. Ends with 1 if the reports differ.

    python benchmarks/two_hosts.py [--select EMA,INIT,EPS] [IMPL ...]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from conformance.report.combining import without_times
from conformance.report.model import Report

A, B = "conformance-a", "conformance-b"
HERE, THERE = "10.77.0.1", "10.77.0.2"
SERVER = """\
ListenAddress {there}
HostKey {place}/host
AuthorizedKeysFile {place}/key.pub
PidFile {place}/pid
PermitRootLogin yes
StrictModes no
SetEnv XDG_CACHE_HOME={place}/cache
"""
CLIENT = """\
Host host-b
  HostName {there}
  User root
  IdentityFile {place}/key
  UserKnownHostsFile {place}/known
  StrictHostKeyChecking accept-new
  LogLevel ERROR
"""


def call(*command: object) -> None:
    """Run a command that has to succeed."""
    subprocess.run([str(part) for part in command], check=True)


def on(host: str) -> list[str]:
    """Return what to put before a command so that it runs on a host, by the host's name."""
    name = "host-a" if host == A else "host-b"
    inside = f'hostname {name}; exec ip netns exec {host} "$@"'
    return ["unshare", "--uts", "sh", "-c", inside, "sh"]


@contextlib.contextmanager
def two_hosts() -> Iterator[None]:
    """Two namespaces with an address each; gone afterwards, with all that is in them."""
    try:
        for host in (A, B):
            call("ip", "netns", "add", host)
            call("ip", "netns", "exec", host, "ip", "link", "set", "lo", "up")
        call(
            "ip", "link", "add", "conf-a", "netns", A, "type", "veth", "peer", "conf-b", "netns", B
        )
        for host, link, address in ((A, "conf-a", HERE), (B, "conf-b", THERE)):
            inside = ("ip", "netns", "exec", host, "ip")
            call(*inside, "address", "add", f"{address}/24", "dev", link)
            call(*inside, "link", "set", link, "up")
        yield
    finally:
        for host in (A, B):
            subprocess.run(["ip", "netns", "delete", host], check=False)


@contextlib.contextmanager
def ssh_server(place: Path) -> Iterator[Path]:
    """An ssh server on the second host; yields the settings with which it is reached."""
    for name in ("host", "key"):
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name)
    for name, text in (("sshd.conf", SERVER), ("ssh.conf", CLIENT)):
        (place / name).write_text(text.format(there=THERE, place=place), encoding="utf-8")
    Path("/run/sshd").mkdir(exist_ok=True)
    command = [*on(B), "/usr/sbin/sshd", "-D", "-e", "-f", str(place / "sshd.conf")]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        reach = [*on(A), "ssh", "-F", str(place / "ssh.conf"), "host-b", "hostname"]
        for _ in range(50):
            time.sleep(0.2)
            found = subprocess.run(reach, capture_output=True, text=True, check=False)
            if found.returncode == 0:
                print(f"ssh host-b hostname: {found.stdout.strip()}")
                yield place / "ssh.conf"
                return
        raise SystemExit(f"the ssh server cannot be reached: {found.stderr.strip()}")
    finally:
        server.terminate()
        server.wait()


def run(place: Path, target: Path, chosen: argparse.Namespace, *options: str, before=()) -> str:
    """Judge under pytest, and return what it printed."""
    judged = [f"--impl={name}" for name in chosen.implementations]
    limits = [f"--conformance-select={chosen.select}", f"--max-examples={chosen.max_examples}"]
    command = [*before, sys.executable, "-m", "pytest", "--pyargs", "conformance", *judged, *limits]
    command += [f"--conformance-report={target}", "-v", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def main() -> None:
    """Judge in one process and on two hosts, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("implementations", nargs="*", default=["impl", "flax"])
    parser.add_argument("--select", default="EMA,INIT,EPS")
    parser.add_argument("--max-examples", type=int, default=20)
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("network namespaces need root")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        single, both = place / "single.json", place / "both.json"
        run(place, single, chosen, "-p", "no:xdist")
        with two_hosts(), ssh_server(place) as settings:
            there = f"ssh=-F {settings} host-b//python={sys.executable}//chdir={place / 'b'}"
            workers = ("--dist", "load", "--tx", there, "--tx", "popen")
            said = run(place, both, chosen, *workers, before=on(A))
        print("\n".join(re.findall(r"^\[gw\d\] .*Python.*$|^created: .*$|^=+ .*$", said, re.M)))
        for worker, where in (("gw0", "host-b"), ("gw1", "host-a")):
            count = len(re.findall(rf"\[{worker}\].*(?:PASSED|FAILED|XFAIL|SKIPPED)", said))
            print(f"{count} pairs on {where}")
        equal = without_times(Report.read(single)) == without_times(Report.read(both))
        print("the reports are equal apart from times and workers" if equal else "they differ")
        raise SystemExit(0 if equal else 1)


if __name__ == "__main__":
    main()
