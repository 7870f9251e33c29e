"""./vm run with a guest at its other end: bytes, status, files, environment, seeds, several at once."""
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

SH = ["/bin/busybox", "sh", "-c"]


def test_output_error_and_status_are_apart(vm):
    done = vm([*SH, "echo out; echo err >&2; exit 42"])
    assert (done.status, done.stdout, done.stderr) == (42, b"out\n", b"err\n")


def test_a_signal_is_128_and_its_number(vm):
    assert vm([*SH, "kill -TERM $$"]).status == 143


def test_a_program_that_is_not_there(vm):
    done = vm(["/bin/no-such-program"])
    assert done.status == 127 and b"no-such-program" in done.stderr


def test_programs_are_found_by_path(vm):
    assert vm(["true"]).ok().stdout == b""


def test_arguments_are_exact(vm):
    words = ["", " a  b ", "'\"$x\\", "\n", "*", "ä€"]
    done = vm(["/bin/busybox", "printf", "[%s]", *words]).ok()
    assert done.stdout == "".join(f"[{word}]" for word in words).encode()


def test_input_of_every_byte_comes_back(vm):
    data = bytes(range(256)) * 1500 + os.urandom(1000)
    assert vm(["/bin/busybox", "cat"], stdin=data).ok().stdout == data


def test_no_input_is_the_end_of_input(vm):
    assert vm(["/bin/busybox", "wc", "-c"]).ok().stdout.split() == [b"0"]


def test_environment(vm):
    done = vm(["/bin/busybox", "env"], env={"COLOUR": "blue=green", "HOME": "/tmp"}).ok()
    lines = done.out.splitlines()
    assert "COLOUR=blue=green" in lines and "HOME=/tmp" in lines
    assert any(line.startswith("PATH=/bin:") for line in lines)


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_files_go_in_and_come_out(vm, tmp_path, block):
    (tmp_path / "in").mkdir()
    data = os.urandom(3_000_000)
    (tmp_path / "in" / "data").write_bytes(data)
    out, folder = tmp_path / "out", tmp_path / "folder"
    vm([*SH, "cp /in/data /copy; mkdir -p /made/deep; echo x >/made/deep/x; ln -s deep/x /made/link"],
       add=[(tmp_path / "in", "/in")], get=[("/copy", out), ("/made", folder)], block=block).ok()
    assert out.read_bytes() == data
    assert (folder / "deep" / "x").read_text() == "x\n" and os.readlink(folder / "link") == "deep/x"


def test_a_file_to_get_that_is_not_there_is_125(vm, tmp_path):
    done = vm(["true"], get=[("/nothing", tmp_path / "out")])
    assert done.status == 125 and b"no such file in the guest" in done.stderr


def test_a_seed_decides_what_is_random(vm):
    def roll(seed):
        return vm([*SH, "head -c 16 /dev/urandom | od -x"], seed=seed).ok().stdout
    assert roll(7) == roll(7) != roll(8)


def test_two_at_once_do_not_meet(vm):
    def run(number):
        text = f"echo {number} >/root/mine; sleep 1; cat /root/mine"
        return vm([*SH, text]).ok().stdout
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, range(4))) == [b"%d\n" % number for number in range(4)]


def test_timeout_of_a_program_that_waits(vm):
    done = vm([*SH, "while :; do :; done"], timeout=10, fsck=False)
    assert done.status == 124 and b"the program was running" in done.stderr


def test_timeout_of_a_program_that_swaps(vm):
    """It waits for its disk most of the time, and that is no lost wake-up."""
    done = vm(["/tests/more_than_memory", "200"], mem="24M", swap="256M", timeout=10, append="policy=random",
              fsck=False)
    assert done.status == 124 and b"the disks were at work" in done.stderr


def test_kernel_segments_have_only_their_rights(built):
    text = subprocess.run(["readelf", "-lW", os.path.join(built, "vitrine.elf")], capture_output=True, text=True,
                          check=True).stdout
    loads = [line for line in text.splitlines() if line.split()[:1] == ["LOAD"]]
    assert len(loads) >= 3 and not any("RWE" in line or "W E" in line for line in loads)
