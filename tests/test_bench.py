"""The benchmark: what it counts stays within bench/budget.json, and the pieces it is made of work.

Under -icount a count is the same on every host, however busy, so these are no timing tests.
"""
import os
import shutil
import subprocess
import sys
import xml.dom.minidom

import pytest
from conftest import ROOT
from vitrine import bench, machine, peer

VM = os.path.join(ROOT, "vm")


@pytest.fixture(scope="module")
def parts(built):
    """The plugin, the floor kernel and Linux's init are up to date."""
    machine.build(False, ["bench-parts"], [os.path.join(built, "bench", part) for part in bench.PARTS])
    return os.path.join(built, "bench")


def vm_bench(*words, **variables):
    env = {k: v for k, v in os.environ.items() if k != "DEBUG"} | {"VITRINE_NO_BUILD": "1"} | variables
    return subprocess.run([sys.executable, VM, "bench", *words], capture_output=True, text=True, check=False,
                          env=env, timeout=3600)


def test_counts_are_within_their_budgets(parts):  # pylint: disable=unused-argument
    """The one test that fails when the kernel needs more instructions; it says in which functions."""
    done = vm_bench("--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "within their budgets" in done.stdout or "not compared" in done.stdout


def test_every_metric_that_repeats_has_a_budget(parts):  # pylint: disable=unused-argument
    assert set(bench.load(bench.BUDGET)["budget"]) == set(bench.budgeted(bench.metrics()))


def test_goals_are_of_metrics(parts):  # pylint: disable=unused-argument
    assert {name.removesuffix("_requests") for name in bench.load(bench.GOALS)} <= set(bench.metrics())
    assert set(bench.FLOORS) <= set(bench.metrics())


def test_what_grew_is_named():
    budget = {"count": 1000, "functions": {"memset": 600, "vm_fault": 200, "(program)": 100}}
    row = {"count": 1031, "functions": {"memset": 600, "vm_fault": 190, "anon_alloc": 41}}
    said = bench.grown("anon_write", row, budget)
    assert "anon_write: 1,031, 3.1% over its budget of 1,000" in said
    assert "anon_alloc" in said and "memset" not in said and "vm_fault" not in said
    assert bench.grown("anon_write", row | {"count": 1029}, budget) == ""


def test_a_count_over_its_budget_fails(parts, tmp_path, monkeypatch, capsys):  # pylint: disable=unused-argument
    kept = tmp_path / "budget.json"
    monkeypatch.setattr(bench, "BUDGET", str(kept))
    rows = {"null_syscall": {"count": 200.0, "functions": {"syscall_entry": 200.0}}}
    assert bench.accept(rows) == 0 and bench.check(rows, rows) == 0
    assert "within their budgets: 1 " in capsys.readouterr().out
    rows["null_syscall"] = {"count": 207.0, "functions": {"syscall_entry": 200.0, "spin_lock": 7.0}}
    assert bench.check(rows, rows) == 1
    said = capsys.readouterr().out
    assert "+7.0  spin_lock" in said and "syscall_entry" not in said
    assert bench.accept(rows) == 0 and bench.check(rows, rows) == 0
    assert bench.check(rows, [*rows, "map_1p"]) == 1 and "map_1p: not measured" in capsys.readouterr().out


def test_a_budget_is_of_one_compiler(parts, tmp_path, monkeypatch, capsys):  # pylint: disable=unused-argument
    """With another one nothing is compared, and what it accepts does not stand beside counts of the first."""
    monkeypatch.setattr(bench, "BUDGET", str(tmp_path / "budget.json"))
    row = {"count": 200.0, "functions": {}}
    bench.accept({"null_syscall": row})
    bench.accept({"map_1p": row})
    assert set(bench.load(bench.BUDGET)["budget"]) == {"null_syscall", "map_1p"}
    monkeypatch.setattr(bench, "compiler", lambda: "clang version 14")
    assert bench.check({"map_1p": {"count": 1000.0}}, ["map_1p"]) == 0
    assert "this kernel was compiled by clang version 14: not compared" in capsys.readouterr().out
    bench.accept({"map_1p": row})
    assert set(bench.load(bench.BUDGET)["budget"]) == {"map_1p"}


def test_a_budget_with_a_conflict_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "BUDGET", str(tmp_path / "budget.json"))
    (tmp_path / "budget.json").write_text("{\n<<<<<<< HEAD\n")
    with pytest.raises(machine.HostError, match="budget.json cannot be read: .* line 2 column 1"):
        bench.check({}, [])


@pytest.mark.parametrize("script, says", [
    ("echo vmbench-fail map_1p munmap failed; echo vmbench-done 1 0 1", "did not end well:\nvmbench-fail map_1p m"),
    ("echo vmbench map_1p; echo 'qemu: out of memory' >&2; exit 1", "vmbench map_1p\nqemu: out of memory"),
])
def test_a_run_that_breaks_off_is_told(script, says):
    with pytest.raises(machine.HostError, match=says):
        bench.lines_of(["sh", "-c", script])


def test_what_is_not_measured_is_told(capsys):
    bench.lines_of(["sh", "-c", "echo 'vmbench-skip file_cold mincore: errno 38'; echo vmbench-done 0 1 0"])
    assert "not measured: file_cold mincore: errno 38" in capsys.readouterr().err


def test_profiles_add_up(parts):  # pylint: disable=unused-argument
    """Counting by function, by the plugin and by the time stamp counter give the same, and twice so."""
    rows = bench.run_once("vitrine", 1, 0, ["null_syscall", "anon_read", "boot"])
    again = bench.run_once("vitrine", 1, 0, ["null_syscall", "anon_read", "boot"])
    assert rows == again
    for name in ("null_syscall", "anon_read"):
        assert sum(rows[name]["functions"].values()) == pytest.approx(rows[name]["count"], rel=0.05)
    assert "vm_fault" in rows["anon_read"]["functions"] and "" not in rows["anon_read"]["functions"]
    assert rows["boot"]["count"] > 100000


def test_the_floor_is_lower(parts):  # pylint: disable=unused-argument
    floor = peer.floor()
    assert set(bench.FLOORS.values()) <= set(floor)
    assert 10 < floor["null_syscall"] < 60 and floor["fault"] < floor["fault_zero"] < floor["fault_copy"] < 1000


def test_the_benchmark_is_a_linux_program(built, tmp_path):
    """The very same binary; each of its metrics also checks what the kernel did."""
    data = tmp_path / "data"
    data.write_bytes(os.urandom(1 << 20))
    program, tiny = (os.path.join(built, "root", "bin", name) for name in ("vmbench", "tiny"))
    names = ["null_syscall", "anon_write", "file_cow", "cow_write", "pipe_bytes", "fork_0m", "exec_tiny", "map_1p",
             "threads_2", "processes_2"]
    done = subprocess.run([program, "-r", "1", "-f", data, "-x", tiny, *names], capture_output=True, text=True,
                          check=False, timeout=600)
    assert f"vmbench-done {len(names)} 0 0" in done.stdout, done.stdout
    assert done.returncode == 0


def test_the_chart_is_a_picture(tmp_path):
    results = {"null_syscall": {"vitrine": {"count": 100}, "tuned": {"count": 400}},
               "boot": {"vitrine": {"count": 7}, "tuned": {"count": 7000000}}, "proc_mem": {"vitrine": {"count": 9}}}
    bench.draw(tmp_path / "chart.svg", results, {"null_syscall": 32.0}, {"null_syscall": 80}, results)
    picture = xml.dom.minidom.parse(str(tmp_path / "chart.svg"))
    words = {node.firstChild.data for node in picture.getElementsByTagName("text")}
    bars = [float(node.getAttribute("width")) for node in picture.getElementsByTagName("rect")[1:]]
    assert {"null_syscall", "boot"} <= words and "proc_mem" not in words
    assert len(bars) == 2 and bars[0] > bars[1] == 0


def test_linux_root_is_an_archive(tmp_path):
    """What we pack for Linux, busybox unpacks."""
    busybox = shutil.which("busybox")
    archive = peer.cpio({"a": (0o40755, b""), "a/one": (0o100755, b"1234567"), "two": (0o100644, b"")})
    subprocess.run([busybox, "cpio", "-id"], input=archive, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "a" / "one").read_bytes() == b"1234567" and os.access(tmp_path / "a" / "one", os.X_OK)
    assert (tmp_path / "two").read_bytes() == b""


def test_without_a_network_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(peer, "HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(machine.HostError, match="(?s)needs Debian's apt and a network.*--no-linux"):
        peer.fetch()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("cache, get, says", [
    ("true", "true", "apt knows no linux-image-cloud-amd64"),
    ("echo ' Depends: linux-image-6.1'", "echo 'E: Unable to fetch: 404' >&2; false", "E: Unable to fetch: 404"),
])
def test_a_package_that_is_gone_is_told(tmp_path, monkeypatch, cache, get, says):
    home, tools = tmp_path / "home", tmp_path / "tools"
    tools.mkdir()
    for name, script in (("apt-cache", cache), ("apt-get", get)):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setattr(peer, "HOME", str(home))
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    with pytest.raises(machine.HostError, match=f"(?s){says}.*--no-linux"):
        peer.fetch()
    assert os.listdir(home) == []


def test_a_part_that_cannot_be_built_is_told(tmp_path, monkeypatch):
    """Say, without a compiler for the plugin."""
    monkeypatch.setattr(bench.machine, "ROOT", str(tmp_path))
    monkeypatch.setattr(bench.machine, "BUILD", str(tmp_path))
    monkeypatch.delenv("VITRINE_NO_BUILD", raising=False)
    (tmp_path / "Makefile").write_text("kernel disk:\nbench-parts:\n\t@echo vmcount.c:1: error >&2; false\n")
    with pytest.raises(machine.HostError, match="(?s)the build failed:.*vmcount.c:1: error"):
        machine.build(False, ["bench-parts"])


@pytest.mark.parametrize("words, said", [
    (["--only", "anon_wrote"], "no such metric; there are"),
    (["--wall", "0"], "is not a number above 0"),
    (["--check", "--accept"], "not allowed with"),
    (["--no-linux", "--chart", "x.svg"], "not with --no-linux"),
    (["--chart", "/no/such/x.svg"], "/no/such/x.svg: nothing can be written there"),
    (["--", "true"], "takes no program"),
])
def test_mistakes_are_told(parts, words, said):  # pylint: disable=unused-argument
    done = vm_bench(*words)
    assert done.returncode == 125 and said in done.stderr


def test_the_debug_kernel_is_not_measured(parts):  # pylint: disable=unused-argument
    done = vm_bench("--check", DEBUG="1")
    assert done.returncode == 125 and "its counts tell nothing" in done.stderr
