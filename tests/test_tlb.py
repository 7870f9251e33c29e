"""No processor uses a page-table entry that it should have forgotten: user/tests/tlb_*.c, watched by tlbcheck."""
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted(path.stem for path in (ROOT / "user" / "tests").glob("tlb_*.c"))
SCRIPT = 'for t in "$@"; do mkdir -p /root/$t; cd /root/$t; echo "== $t"; /tests/$t; echo "status $?"; done'
WATCHED = {"mem": "24M", "swap": "128M", "append": "tlbcheck"}
BUSYBOX = "/bin/busybox"


def on_linux(built, folder):
    """The transcript of all the programs; what Linux does otherwise is in a file."""
    text = ""
    for name in PROGRAMS:
        otherwise = ROOT / "tests" / "guest" / f"{name}.expected"
        if otherwise.exists():
            text += f"== {name}\n{otherwise.read_text(encoding='utf-8')}status 0\n"
            continue
        (folder / name).mkdir()
        done = subprocess.run([f"{built}/user/tests/{name}"], cwd=folder / name, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, timeout=300)
        text += f"== {name}\n{done.stdout}status {done.returncode}\n"
    return text


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_each_downgrade(vm, built, tmp_path, cpus):
    """Linux's transcript, and nothing for tlbcheck to say."""
    run = vm([BUSYBOX, "sh", "-c", SCRIPT, "sh", *PROGRAMS], cpus=cpus, **WATCHED).ok()
    assert run.out == on_linux(built, tmp_path)


@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("policy", ["clock", "random"])
def test_swap(vm, cpus, policy):
    """Pages go to swap and come back while two threads store to them."""
    options = WATCHED | {"append": f"tlbcheck policy={policy}", "mem": "20M"}
    run = vm([BUSYBOX, "sh", "-c", "/tests/tlb_swap 24 60000; sed -n 's/^pswpout //p' /proc/vmstat"], cpus=cpus,
             **options).ok()
    *lines, written = run.out.splitlines()
    assert len(lines) == 3 and all(line.startswith("ok ") for line in lines), run.out
    assert int(written) > 1000


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_use_is_seen(vm, cpus):
    """While another process needs twice the memory there is."""
    run = vm(["/tests/tlb_working_set", "48"], cpus=cpus, **WATCHED).ok()
    assert run.out == "ok      the set is seen to be used\n"


@pytest.mark.parametrize("cpus", [1, 4])
def test_watched_under_pressure(vm, cpus):
    """Fork, copy-on-write and swap at once, and threads against each other."""
    script = "/tests/more_than_memory 40 && /tests/more_than_memory 40 shared && /tests/threads_races"
    run = vm([BUSYBOX, "sh", "-c", script], cpus=cpus, **WATCHED).ok()
    assert run.out.count("ok ") >= 4 and "FAILED" not in run.out, run.out


def test_turns(vm):
    """Two threads wake each other, on two processors, as fast as they can."""
    assert vm(["/tests/futex_turns", "30000"], cpus=2).ok().out == "ok      each took every turn of its own\n"
