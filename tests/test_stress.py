"""Debian's stress-ng and sqlite3 on a machine that is too small for them: what they verify has to be right.

stress-ng checks its own memory (--verify) and says "fail:" for each thing that is wrong.  Stressors that would not need
swap have a neighbour that does.
"""
import re
import subprocess

import pytest
from test_programs import find, on_linux, with_libraries

BUSYBOX = "/bin/busybox"
HUNGRY = "--vm 1 --vm-bytes 64M --vm-ops 3000"

STRESSORS = {
    "vm": "--vm 2 --vm-bytes 64M --vm-ops 6000",
    "fork": f"--fork 2 --fork-ops 400 {HUNGRY}",
    # It locks some of its mappings: as root, more of them than there is memory.
    "mmap": f"--mmap 2 --mmap-bytes 8M --mmap-ops 30 {HUNGRY}",
    "brk": f"--brk 2 --brk-ops 100000 {HUNGRY}",
    "stack": f"--stack 2 --stack-ops 20 {HUNGRY}",
    "shm": f"--shm 2 --shm-bytes 16M --shm-objs 4 --shm-ops 10 {HUNGRY}",
    "shm-sysv": f"--shm-sysv 2 --shm-sysv-bytes 32M --shm-sysv-ops 50 {HUNGRY}",
    "mremap": f"--mremap 2 --mremap-bytes 16M --mremap-ops 20 {HUNGRY}",
    "fault": f"--fault 2 --fault-ops 5000 {HUNGRY}",
    "pthread": f"--pthread 2 --pthread-max 32 --pthread-ops 1000 {HUNGRY}",
    "futex": f"--futex 2 --futex-ops 2000 {HUNGRY}",
    "clone": f"--clone 1 --clone-max 4 --clone-ops 120 {HUNGRY}",
    "switch": f"--switch 2 --switch-ops 20000 {HUNGRY}",
    "sem": f"--sem 2 --sem-procs 4 --sem-ops 20000 --timeout 60 {HUNGRY}",  # pauses until then, on Linux too
    "mutex": f"--mutex 2 --mutex-procs 4 --mutex-ops 20000 {HUNGRY}",
}


def stress(vm, name, **machine):
    """The stressor ends by itself, finds nothing wrong, and pages went to swap meanwhile."""
    stress_ng = find("stress-ng")
    script = f"{stress_ng} {STRESSORS[name]} --verify --metrics; echo status $?; cat /proc/vmstat"
    run = vm([BUSYBOX, "sh", "-c", script], mem="48M", swap="256M", add=with_libraries(stress_ng),
             timeout=1200, **machine).ok()
    said = run.err + run.log[-3000:]
    assert "\nstatus 0\n" in "\n" + run.out, said
    assert "fail:" not in run.err and "successful run completed" in run.err, said
    ops = {n: int(count) for n, count in re.findall(r"metrc: \[\d+\] (\S+) +(\d+) +\d+\.\d+", run.err)}
    assert ops.get(name, 0) > 0, said
    counters = dict(line.split() for line in run.out.splitlines() if " " in line)
    assert int(counters["pswpout"]) > 0 and int(counters["oom_kill"]) == 0, run.out


@pytest.mark.parametrize("name", STRESSORS)
def test_stress_ng(vm, name):
    """On the machine that is asked for."""
    stress(vm, name)


def test_given_back_and_taken_at_once(vm):
    """Truly at once: what others gave back and took again while the pager looked away is no want of memory."""
    for seed in (1, 2):
        stress(vm, "clone", cpus=4, realtime=True, seed=seed)


ROWS = 100_000
BUILD = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
  INSERT INTO t SELECT i, i * 7919 % 100003, printf('row %08d, %x', i, i * 2654435761) FROM n;
CREATE INDEX t_k ON t(k);
UPDATE t SET v = v || ' changed' WHERE k % 10 = 3;
BEGIN; DELETE FROM t WHERE id % 3 = 0; ROLLBACK;
"""
CHECK = """
PRAGMA integrity_check;
SELECT count(*), sum(id), sum(k), sum(length(v)) FROM t;
SELECT * FROM t WHERE k BETWEEN 5000 AND 5010 ORDER BY k;
SELECT k % 10, count(*) FROM t WHERE v LIKE '%changed' GROUP BY 1;
SELECT group_concat(v, ';') FROM (SELECT v FROM t ORDER BY v DESC LIMIT 5);
"""


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_sqlite(vm, tmp_path, mode):
    """A database of 100,000 rows on the disk, checked there by another process, and again by the host."""
    sqlite = find("sqlite3")
    begin = f"PRAGMA journal_mode={mode}; PRAGMA cache_size=-1000; PRAGMA mmap_size=67108864;"
    (tmp_path / "build").write_text(begin + BUILD, encoding="ascii")
    (tmp_path / "check").write_text(CHECK, encoding="ascii")
    script = f"cd /root && {sqlite} -batch x.db <build && {sqlite} -batch x.db <check && ls"
    run = vm([BUSYBOX, "sh", "-c", script], mem="24M", swap="64M", get=[("/root/x.db", tmp_path / "x.db")],
             add=[*with_libraries(sqlite), *((tmp_path / name, f"/root/{name}") for name in ("build", "check"))]).ok()
    status, wanted, _ = on_linux([sqlite, "-batch", ":memory:", begin.replace(mode, "memory") + BUILD + CHECK])
    assert status == 0
    lines, wanted = run.out.splitlines(), wanted.decode().splitlines()
    assert lines[:2] == [mode, "67108864"] and lines[-3:] == ["build", "check", "x.db"], run.out[:500]
    assert lines[2:-3] == wanted[-len(lines) + 5:] and lines[2] == "ok", run.out[:500]
    again = subprocess.run([sqlite, tmp_path / "x.db", "PRAGMA integrity_check; SELECT count(*) FROM t"],
                           capture_output=True, text=True, check=True)
    assert again.stdout == f"ok\n{ROWS}\n"
