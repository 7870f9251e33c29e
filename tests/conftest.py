"""What every whole-system test shares: the fixture `vm`, which runs a program in the guest by ./vm run.

The kernel and the disk are built once, by the first worker that comes by; the runs themselves then build nothing.
"""
import fcntl
import fnmatch
import itertools
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools"))

DOORS = ("pvh", "grub", "uefi")
# ./vm that hands over also what it knows to be wrong, for the kernel to say so itself.
UNCHECKED = [sys.executable, "-c", f"import sys; sys.path.insert(0, {ROOT + '/tools'!r}); from vitrine import options, "
             "run; options.KERNEL_CHOICES.clear(); sys.exit(run.main(sys.argv[1:]))"]
RUN_NUMBER = itertools.count(1)
# What a test does not ask for itself: CPUS=4 MEM=24M make test runs them all on such a machine.
CPUS = int(os.environ.get("CPUS", "1"))
MEM = os.environ.get("MEM", "64M")
SEED = int(os.environ.get("SEED", "1"))
REALTIME = os.environ.get("REALTIME", "0") == "1"


def pytest_collection_modifyitems(config, items):
    """In a lab's handout, leave out the tests that wait until the student has written every step."""
    from vitrine import lab  # pylint: disable=import-outside-toplevel
    labs = [each for each in map(lab.Lab, lab.names()) if each.waits and each.unwritten(ROOT)]
    waits = [pattern for each in labs for pattern in each.waits]
    left_out = [item for item in items if any(fnmatch.fnmatch(item.nodeid, pattern) for pattern in waits)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@dataclass
class Result:
    """What a run gave back; `log` is the kernel's own."""

    status: int
    stdout: bytes
    stderr: bytes
    log: str

    @property
    def out(self):
        return self.stdout.decode("utf-8", "replace")

    @property
    def err(self):
        return self.stderr.decode("utf-8", "replace")

    def ok(self):
        """Assert that the program ended with 0, and show what there is to see if not; returns self."""
        assert self.status == 0, f"status {self.status}\n{self.err}\n--- log\n{self.log[-4000:]}"
        return self


def run_vm(tmp_path, argv, *, mem=MEM, cpus=CPUS, swap=None, seed=SEED, stdin=b"", add=(), get=(), append="", env=(),
           door="pvh", block=4096, realtime=REALTIME, timeout=300, fsck=True, options=(),
           unchecked=False):
    """Run argv in the guest and return a Result; the arguments are those of ./vm run.

    @add, @get: (host, guest) and (guest, host) pairs.  @env: a dict or pairs.  @door: pvh, grub or uefi.
    @options:   further words for ./vm as they are.  @unchecked: choices of the kernel's options are not looked at.
    @timeout:   seconds; in real time, where the host's other work counts, four times as many.
    """
    assert door in DOORS
    timeout *= 4 if realtime else 1
    log = os.path.join(tmp_path, f"kernel-{next(RUN_NUMBER)}.log")
    command = UNCHECKED if unchecked else [os.path.join(ROOT, "vm")]
    command = [*command, "run", "--mem", mem, "--cpus", str(cpus), "--timeout", str(timeout), "--log", log,
               f"--{door}", "--block", str(block)]
    command += ["--seed", str(seed)] * (seed is not None)
    command += ["--swap", swap] * (swap is not None) + ["--append", append] * bool(append)
    command += ["--realtime"] * realtime + ["--fsck"] * fsck
    for host, guest in add:
        command += ["--add", f"{host}:{guest}"]
    for guest, host in get:
        command += ["--get", f"{guest}:{host}"]
    for key, value in dict(env).items():
        command += ["--env", f"{key}={value}"]
    command += [*options, "--", *argv]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False,
                          env=dict(os.environ, VITRINE_NO_BUILD="1"), timeout=timeout + 120)
    text = ""
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as kernel_log:
            text = kernel_log.read()
    return Result(done.returncode, done.stdout, done.stderr, text)


@pytest.fixture(scope="session")
def built():
    """The kernel, the disk and the boot medium are up to date."""
    from vitrine import machine  # pylint: disable=import-outside-toplevel
    machine.build(True)
    return machine.BUILD


@pytest.fixture(scope="session")
def debug_built(built):
    """The debug kernel is up to date; the folder that it is in."""
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    with open(os.path.join(built, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "DEBUG=1", "kernel"], cwd=ROOT, env=clean, check=True)
    return os.path.join(built, "debug")


@pytest.fixture
def vm(built, tmp_path):  # pylint: disable=redefined-outer-name,unused-argument
    """run(argv, **options) -> Result, see run_vm."""
    return lambda argv, **options: run_vm(tmp_path, argv, **options)


@pytest.fixture(scope="session")
def vm_session(built, tmp_path_factory):  # pylint: disable=redefined-outer-name,unused-argument
    """The same as vm, for fixtures that live longer than one test."""
    folder = tmp_path_factory.mktemp("vm")
    return lambda argv, **options: run_vm(folder, argv, **options)
