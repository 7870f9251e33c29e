"""What Vitrine is measured beside: Debian's Linux in the same QEMU, and the floor kernel.

Linux's package is fetched by apt and unpacked into build/bench, never installed.  Its root is an archive in RAM
with the benchmark, the program that it starts, and bench/linux_init.c as pid 1; the disks are those Vitrine has.
"""
import glob
import os
import re
import shutil
import subprocess
from types import SimpleNamespace

from . import image, machine
from .machine import HostError

HOME = os.path.join(machine.BUILD, "bench")
PACKAGE = "linux-image-cloud-amd64"
TUNED = "mitigations=off cgroup_disable=memory psi=0 init_on_alloc=0"
DRIVERS = ["virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci_legacy_dev", "virtio/virtio_pci_modern_dev",
           "virtio/virtio_pci", "block/virtio_blk"]
NO_NETWORK = ("the Linux to compare with could not be fetched; this needs Debian's apt and a network\n{}\n"
              "(./vm bench --no-linux measures Vitrine alone)")


def call(argv, **options):
    """Run a host program; a HostError with what it said if it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    except FileNotFoundError as error:
        raise HostError(NO_NETWORK.format(f"{argv[0]}: not installed")) from error
    if done.returncode != 0:
        raise HostError(NO_NETWORK.format(done.stderr.strip()))
    return done.stdout


def fetch():
    """The folder of the unpacked Linux package, fetched if it is not there yet."""
    kept = os.path.join(HOME, "linux")
    if not os.path.isdir(kept):
        fresh = f"{kept}.{os.getpid()}"
        os.makedirs(fresh)
        try:
            name = re.search(r"Depends: (linux-image-\S+)", call(["apt-cache", "depends", PACKAGE]))
            if name is None:
                raise HostError(NO_NETWORK.format(f"apt knows no {PACKAGE} (apt-get update)"))
            call(["apt-get", "download", name[1]], cwd=fresh)
            call(["dpkg", "-x", glob.glob(f"{fresh}/*.deb")[0], fresh])
            os.rename(fresh, kept)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return kept


def cpio(files):
    """A "newc" archive, as Linux unpacks it for its first root, of {path: (mode, bytes)}."""
    out = bytearray()
    for number, (path, (mode, data)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def first_root(linux, argv, data):
    """The archive that Linux starts from; argv are the benchmark's arguments."""
    def load(path):
        with open(path, "rb") as source:
            return source.read()
    files = {folder: (0o40755, b"") for folder in ("bin", "modules")}
    files["init"] = (0o100755, load(os.path.join(HOME, "linux_init")))
    for program in ("vmbench", "tiny"):
        files[f"bin/{program}"] = (0o100755, load(os.path.join(machine.TREE, "bin", program)))
    files["arguments"] = (0o100644, b"".join(word.encode() + b"\0" for word in ["/bin/vmbench", *argv]))
    files["data"] = (0o100644, load(data))
    for number, name in enumerate(DRIVERS):
        path = glob.glob(f"{linux}/lib/modules/*/kernel/drivers/{name}.ko")[0]
        files[f"modules/{number}-{os.path.basename(path)}"] = (0o100644, load(path))
    return cpio(files)


def disk_arguments(path):
    name = os.path.splitext(os.path.basename(path))[0]
    return ["-drive", f"if=none,id={name},format=raw,cache=unsafe,file={path}",
            "-device", f"virtio-blk-pci,drive={name},serial={name},{machine.AT_ONCE}"]


def qemu(mem, cpus, realtime):
    """QEMU's arguments with the processor and the clock that `vm run` has, and nothing else but a serial line.

    Linux does not start several processors under -icount: it waits for them in a loop that QEMU does not leave.
    They then take turns by the host's clock, and what they execute is still counted.
    """
    turns = cpus > 1 and not realtime
    opts = SimpleNamespace(cpus=cpus, mem=mem, accel="tcg", seed=1, realtime=realtime or turns, door="pvh")
    processor = [word + ",thread=single" if turns and word == "tcg" else word for word in machine.processor(opts)]
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-M", "pc", "-display", "none", "-no-reboot",
            "-serial", "stdio", *processor]


def linux_command(folder, argv, data, run, tuned):
    """The command that runs the benchmark on Linux.  @run: mem, cpus, swap (bytes or 0), realtime, plugin."""
    linux = fetch()
    with open(f"{folder}/initrd", "wb") as archive:
        archive.write(first_root(linux, argv, data))
    os.makedirs(f"{folder}/tree", exist_ok=True)
    shutil.copyfile(data, f"{folder}/tree/data")
    image.make_ext2(f"{folder}/tree", f"{folder}/root.img")
    disks = [f"{folder}/root.img"]
    if run.swap:
        disks.append(f"{folder}/swap.img")
        image.make_swap(disks[1], run.swap)
    words = f"console=ttyS0 quiet panic=-1 nokaslr norandmaps {TUNED if tuned else ''}"
    return [*qemu(run.mem, run.cpus, run.realtime), *sum(map(disk_arguments, disks), []),
            *(["-plugin", run.plugin] if run.plugin else []),
            "-qmp", f"unix:{folder}/qmp.sock,server=on,wait=off", "-kernel", glob.glob(f"{linux}/boot/vmlinuz-*")[0],
            "-initrd", f"{folder}/initrd", "-append", words]


def linux_version():
    return os.path.basename(glob.glob(os.path.join(HOME, "linux", "boot", "vmlinuz-*"))[0])[len("vmlinuz-"):]


def floor():
    """{name: instructions per operation} of the floor kernel."""
    command = [*qemu(300 << 20, 1, False), "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
               "-kernel", os.path.join(HOME, "floor.elf")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300,
                              stdin=subprocess.DEVNULL, preexec_fn=machine.die_with_parent)
    except subprocess.TimeoutExpired as error:
        raise HostError("the floor kernel did not end in 300 seconds") from error
    if "floor-done" not in done.stdout:
        raise HostError("the floor kernel failed:\n" + (done.stdout + done.stderr).strip())
    return {name: float(cost) for name, cost in re.findall(r"^floor (\w+) ([\d.]+)", done.stdout, re.M)}
