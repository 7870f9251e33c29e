"""A mixed load in little memory: everything at once, for a minute in `make test`, for an hour in `make soak`.

The short runs repeat exactly.  The long one lasts SOAK_MINUTES of the host's time (60): then its standard input ends,
the jobs that run are the last ones, and the machine is checked like any other.  SOAK_SEED in the environment, or the
time of day, is its seed; CPUS and REALTIME choose the machine.  `./vm run --mem 48M --swap 256M -- soak SEED JOBS`
with what it printed runs it again.
"""
import os
import subprocess
import time

import pytest
from conftest import CPUS, REALTIME

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MACHINE = {"mem": "48M", "swap": "256M"}


@pytest.mark.parametrize("seed, realtime", [(1, False), (2, False), (3, True)])
def test_short(vm, seed, realtime):
    """Some eighty jobs, eight at a time, with more memory than there is."""
    run = vm(["soak", str(seed), "80"], seed=seed, realtime=realtime, timeout=900, **MACHINE).ok()
    assert run.out == f"seed {seed}, 80 jobs: all well\n", run.err
    assert "out of memory" not in run.log


@pytest.mark.soak
@pytest.mark.usefixtures("built")
def test_long():
    """As long as it is asked for."""
    seconds = 60 * float(os.environ.get("SOAK_MINUTES", "60"))
    seed = os.environ.get("SOAK_SEED") or str(int(time.time()) % 1000000)
    command = [os.path.join(ROOT, "vm"), "run", "--mem", MACHINE["mem"], "--swap", MACHINE["swap"], "--seed", seed,
               "--cpus", str(CPUS), *["--realtime"] * REALTIME,
               "--timeout", str(10 * seconds + 3600), "--fsck", "--", "soak", seed, "0"]
    print("seed", seed, flush=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=dict(os.environ, VITRINE_NO_BUILD="1")) as machine:
        try:
            machine.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        machine.stdin.close()
        assert machine.wait() == 0, f"seed {seed}"
