"""One QEMU: the folder of its run, its command line, its monitor.

RAM is a shared file in the run's folder, so that other programs can look at it while the guest runs.  The
guest's reset is turned into a pause (-no-reboot -no-shutdown), so that the registers of a triple fault can
still be read and a meant reset can be told from one; an orderly end and a panic leave through isa-debug-exit
with a code of their own.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

from . import image

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VITRINE_BUILD") or os.path.join(ROOT, "build")
RUNS = os.path.join(BUILD, "runs")
# DEBUG=1 in the environment means here what it means to make: the kernel that watches its locks.
KERNEL_BUILD = os.path.join(BUILD, "debug") if os.environ.get("DEBUG") == "1" else BUILD
KERNEL = os.path.join(KERNEL_BUILD, "vitrine.elf")
ISO = os.path.join(KERNEL_BUILD, "vitrine.iso")
DISK = os.path.join(BUILD, "root.img")
TREE = os.path.join(BUILD, "root")
OVMF = [("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd")]
KEPT_RUNS = 8
KEPT_CRASHES = 4  # beyond those, of runs in which the kernel died
KEPT_RAMS = 2  # of the finished runs among them that ended well: memory takes room, and is wanted soon or never
EXIT_ORDERLY = 33  # (0x10 << 1) | 1, what isa-debug-exit makes of the kernel's code
EXIT_PANIC = 35
AT_ONCE = "ioeventfd=off"  # the device sees a request when it is made, not when QEMU's other thread wakes up


class HostError(Exception):
    """A mistake on the host's side: exit status 125, and str() is the message."""


# --- run folders -----------------------------------------------------------------------------------------

class Folder:
    """The folder of one run, build/runs/NNN-pid; a lock on it says that the run is still going."""

    def __init__(self, keep):
        os.makedirs(RUNS, exist_ok=True)
        self.path = self._make()
        self.lock = open(self.file("lock"), "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        if keep:
            open(self.file("keep"), "w", encoding="ascii").close()
        self._point_latest()
        prune()

    @staticmethod
    def _make():
        while True:
            numbers = [int(name[:3]) for name in os.listdir(RUNS) if re.match(r"\d{3}-", name)]
            number = (max(numbers, default=0) + 1) % 1000
            path = os.path.join(RUNS, f"{number:03}-{os.getpid():x}")
            try:
                os.mkdir(path, 0o700)
                return path
            except FileExistsError:
                shutil.rmtree(path, ignore_errors=True)

    def _point_latest(self):
        link = os.path.join(RUNS, f".latest-{os.getpid()}")
        os.symlink(os.path.basename(self.path), link)
        os.replace(link, os.path.join(RUNS, "latest"))

    def file(self, name):
        return os.path.join(self.path, name)

    def ended(self, status, message):
        """Note how the run ended, for `vm last`; only the newest that ended well keep the guest's memory."""
        with open(self.file("end.json"), "w", encoding="utf-8") as note:
            json.dump({"status": status, "message": message}, note)
        if not message:
            open(self.file("well"), "w", encoding="ascii").close()
            drop_rams()

    def text(self, name):
        """A log of this run as text, "" while there is none."""
        try:
            with open(self.file(name), encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""


def born(path):
    """When a file or folder was last changed, 0 when it is gone."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0


def drop_rams():
    """Give the host's disk back the memory of runs that ended well, but of the newest and of those to keep."""
    well = [os.path.join(RUNS, name) for name in os.listdir(RUNS) if re.match(r"\d{3}-", name)]
    well = sorted((p for p in well if os.path.exists(os.path.join(p, "well"))),
                  key=lambda p: born(os.path.join(p, "well")), reverse=True)
    for path in well[KEPT_RAMS:]:
        if not os.path.exists(os.path.join(path, "keep")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(path, "ram"))


def prune():
    """Remove finished runs but the newest few and those that --keep marked."""
    names = sorted((n for n in os.listdir(RUNS) if re.match(r"\d{3}-", n)),
                   key=lambda n: born(os.path.join(RUNS, n)), reverse=True)
    crashes = [name for name in names[KEPT_RUNS:] if os.path.exists(os.path.join(RUNS, name, "crash.txt"))]
    for name in [name for name in names[KEPT_RUNS:] if name not in crashes[:KEPT_CRASHES]]:
        path = os.path.join(RUNS, name)
        if os.path.exists(os.path.join(path, "keep")):
            continue
        try:
            with open(os.path.join(path, "lock"), encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            if time.time() - born(path) > 60:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # still running


# --- what the machine is made of -------------------------------------------------------------------------

def build(need_iso, targets=(), files=()):
    """Bring the kernel, the disk and, if needed, the boot medium up to date; one builder at a time.

    @targets are further ones of the Makefile, and @files what they make.
    """
    if os.environ.get("VITRINE_NO_BUILD") == "1":
        missing = [p for p in [KERNEL, DISK] + [ISO] * need_iso + list(files) if not os.path.exists(p)]
        if missing:
            raise HostError(f"{os.path.relpath(missing[0], ROOT)} is not built (make)")
        return
    os.makedirs(BUILD, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    with open(os.path.join(BUILD, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["make", "-s", "-C", ROOT, f"-j{os.cpu_count() or 2}", "kernel", "disk"]
        try:
            result = subprocess.run(command + ["iso"] * need_iso + list(targets), env=env, stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise HostError("make is not installed") from error
    if result.returncode != 0:
        raise HostError("the build failed:\n" + (result.stdout + result.stderr).strip())


def swap_names(opts):
    """swap, swap2, swap3: /dev/vdb, vdc, vdd."""
    return ["swap", "swap2", "swap3", "swap4"][:len(opts.swap)]


def prepare_disks(folder, opts):
    """Give the run its own root disk, with what --add names, and its swap disks."""
    root = folder.file("root.img")
    try:
        if opts.add or opts.block != 4096:
            image.make_with(TREE, opts.add, root, opts.block)
        else:
            image.copy_sparse(DISK, root)
        for name, size in zip(swap_names(opts), opts.swap):
            image.make_swap(folder.file(name + ".img"), size)
    except image.ImageError as error:
        raise HostError(str(error)) from error


def strings(words):
    """Words as NUL-terminated strings, the way they go through fw_cfg."""
    return b"".join(os.fsencode(word) + b"\0" for word in words)


def fw_cfg(folder, name, data):
    """The arguments that hand data to the guest as the fw_cfg file opt/org.vitrine/NAME."""
    with open(folder.file(f"fw-{name}"), "wb") as item:
        item.write(data)
    return ["-fw_cfg", f"name=opt/org.vitrine/{name},file={folder.file(f'fw-{name}')}"]


def kernel_options(opts):
    """The kernel's command line.  The last of two options counts, so what the user wants comes last."""
    words = [f"seed={opts.seed}"] * (opts.seed is not None)
    if not opts.realtime and opts.accel == "tcg":
        words.append("repeatable")  # nothing may leap to where the host's speed decides
        if opts.cpus > 1:
            words.append("shake=100")  # short turns: QEMU would let one that spins run until its next alarm, and again
    if opts.verb == "run" and opts.display == "none":
        words.append("screen=off")  # drawing what nobody sees costs time
    if opts.trace:
        words.append(f"trace={opts.trace >> 10}K")
    if opts.core or opts.verb == "boot":
        words.append("core")  # RLIMIT_CORE is unlimited from the start
    if opts.verb == "boot" and os.isatty(1):
        columns, rows = os.get_terminal_size(1)
        if columns and rows:
            words.append(f"winsize={columns}x{rows}")
    return " ".join([*words, opts.append.strip()]).strip()


def guest_arguments(folder, opts):
    """Kernel options, program and environment for the guest.  fw_cfg takes no empty file."""
    argv = fw_cfg(folder, "cmdline", os.fsencode(kernel_options(opts)))
    env = {"PATH": "/bin:/sbin:/usr/bin:/usr/sbin:/tests", "HOME": "/root", "TERM": "linux"}
    if opts.verb == "boot":
        env["TERM"] = os.environ.get("TERM", "linux")
    env.update(opts.env)
    argv += fw_cfg(folder, "env", strings(f"{key}={value}" for key, value in env.items()))
    if opts.verb == "run":
        argv += fw_cfg(folder, "argv", strings(opts.program))
    return argv


def processor(opts):
    """The arguments for CPU and time.  -icount makes a run a function of its inputs and the seed."""
    argv = ["-smp", str(opts.cpus), "-m", f"{opts.mem >> 10}k"]
    if opts.accel == "kvm":
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise HostError("--accel kvm: /dev/kvm is missing or not yours to open")
        return argv + ["-accel", "kvm", "-cpu", "host"]
    argv += ["-accel", "tcg", "-cpu", "max,la57=off,erms=off"]
    if opts.seed is not None:
        argv += ["-seed", str(opts.seed)]
    if not opts.realtime:
        # One instruction is 1 ns; under UEFI 128 ns, for the firmware spends seconds waiting for the clock.
        shift = 7 if opts.door == "uefi" else 0
        argv += ["-icount", f"shift={shift},sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
    return argv


def boot_door(folder, opts):
    """The arguments for how the kernel is loaded: PVH directly, or GRUB under BIOS or UEFI."""
    if opts.door == "pvh":
        return ["-kernel", KERNEL]
    argv = ["-drive", f"if=none,id=cd,media=cdrom,format=raw,readonly=on,file={ISO}",
            "-device", "ide-cd,drive=cd,bootindex=0"]
    if opts.door == "grub":
        return argv
    for code, variables in OVMF:
        if os.path.exists(code) and os.path.exists(variables):
            shutil.copyfile(variables, folder.file("ovmf-vars.fd"))
            return argv + ["-drive", f"if=pflash,format=raw,readonly=on,file={code}",
                           "-drive", f"if=pflash,format=raw,file={folder.file('ovmf-vars.fd')}"]
    raise HostError("--uefi: OVMF is not installed (make setup)")


def error_rules(folder, disk, opts):
    """The configuration of QEMU's blkdebug for what --disk-error says of a disk, "" for nothing."""
    text = ""
    for kind, where, times in (rule[1:] for rule in opts.disk_error if rule[0] == disk):
        rule = f'[inject-error]\nevent = "none"\niotype = "{kind}"\nerrno = "5"\n'
        if where is not None:
            try:
                sector = image.sector_of(folder.file("root.img"), where) if where.startswith("/") else where
            except image.ImageError as error:
                raise HostError(f"--disk-error {disk}:{kind}:{error}") from error
            rule += f'sector = "{sector}"\n'
        text += (rule + 'once = "on"\n') * times or rule
    return text


def block_devices(folder, opts):
    """The root disk and the swap disks, on virtio.  The disks live no longer than the run: no host flushes."""
    argv = []
    for name in ["root", *swap_names(opts)]:
        path, cache = folder.file(name + ".img"), "unsafe"
        file = f"file={path}"
        rules = error_rules(folder, name, opts)
        if rules:
            with open(folder.file(f"{name}-errors"), "w", encoding="ascii") as config:
                config.write(rules)
            file = f"file.driver=blkdebug,file.config={config.name},file.image.driver=file,file.image.filename={path}"
            cache = "writeback" if "flush" in rules else cache  # an unsafe cache passes no flush on
        argv += ["-drive", f"if=none,id={name},format=raw,cache={cache},{file}",
                 "-device", f"virtio-blk-pci,drive={name},serial={name},{AT_ONCE}"]
    return argv


def command_line(folder, opts, link_fd, qmp_fd):
    """QEMU's whole command line."""
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-vga", "std", "-display", opts.display,
            "-M", "pc,memory-backend=ram",
            "-object", f"memory-backend-file,id=ram,size={opts.mem >> 10}k,share=on,mem-path={folder.file('ram')}",
            "-no-reboot", "-no-shutdown", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-d", "cpu_reset,guest_errors", "-D", folder.file("qemu.log"),
            "-chardev", f"socket,id=vmqmp,fd={qmp_fd}", "-mon", "chardev=vmqmp,mode=control",
            "-chardev", "socket,id=qmp,path=qmp.sock,server=on,wait=off", "-mon", "chardev=qmp,mode=control"]
    argv += processor(opts) + boot_door(folder, opts) + block_devices(folder, opts)
    argv += guest_arguments(folder, opts)
    if opts.seed is None:
        argv += ["-device", "virtio-rng-pci"]
    if opts.verb == "boot":
        argv += ["-chardev", f"stdio,id=con,mux=on,signal=off,logfile={folder.file('kernel.log')}",
                 "-serial", "chardev:con", "-mon", "chardev=con,mode=readline"]
    else:
        # Not a virtconsole: QEMU throws away what such a one writes while the socket is full.
        argv += ["-serial", f"file:{folder.file('kernel.log')}", "-device", f"virtio-serial-pci,max_ports=2,{AT_ONCE}",
                 "-chardev", f"socket,id=link,fd={link_fd}", "-device", "virtserialport,chardev=link"]
    if opts.gdb:
        argv += ["-S", "-chardev", "socket,id=gdb,path=gdb.sock,server=on,wait=off", "-gdb", "chardev:gdb"]
    return argv + opts.qemu


# --- the running machine ---------------------------------------------------------------------------------

def die_with_parent():
    """In the child before exec: be killed when ./vm dies, however it dies (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Machine:
    """A QEMU process.  `link` is its end of the host link (None for boot); events gather in `events`."""

    def __init__(self, folder, opts):
        self.folder = folder
        self.events = []
        self._pending = b""
        self.log_seen = None  # the length of the kernel's log at a restart that is still going on
        self.faults_seen = 0  # what stands in QEMU's log before this is the firmware's
        self.qmp, theirs = socket.socketpair()
        self.link, link_theirs = socket.socketpair() if opts.verb == "run" else (None, None)
        fds = [s.fileno() for s in (theirs, link_theirs) if s is not None]
        argv = command_line(folder, opts, fds[-1], fds[0])
        with open(folder.file("command"), "w", encoding="utf-8", errors="surrogateescape") as note:
            note.write("\n".join(argv) + "\n")
        with open(folder.file("qemu.err"), "wb") as errors:
            try:
                self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                    argv, cwd=folder.path, pass_fds=fds, stderr=errors, preexec_fn=die_with_parent,
                    stdin=None if opts.verb == "boot" else subprocess.DEVNULL,
                    stdout=None if opts.verb == "boot" else subprocess.DEVNULL,
                    start_new_session=opts.verb == "run")
            except FileNotFoundError as error:
                raise HostError("qemu-system-x86_64 is not installed (make setup)") from error
        for sock in (theirs, link_theirs):
            if sock is not None:
                sock.close()
        self._send({"execute": "qmp_capabilities"})

    def _send(self, message):
        try:
            self.qmp.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # QEMU is gone, which its exit status will tell

    def read_events(self):
        """Take in what the monitor has to say; its answers.  Call when `qmp` is readable."""
        try:
            data = self.qmp.recv(65536)
        except OSError:
            data = b""
        *lines, self._pending = (self._pending + data).split(b"\n")
        answers = []
        for line in lines:
            message = json.loads(line or b"{}")
            if "event" in message:
                self.events.append(message)
            elif "return" in message or "error" in message:
                answers.append(message)
        return answers if data else None

    def monitor(self, command, limit=5.0):
        """The answer of a human monitor command as text, "" when QEMU does not give one."""
        self._send({"execute": "human-monitor-command", "arguments": {"command-line": command}})
        end = time.monotonic() + limit
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.qmp], [], [], left)[0]:
                return ""
            answers = self.read_events()
            if answers is None:
                return ""
            for answer in answers:
                if isinstance(answer.get("return"), str):
                    return answer["return"]
        return ""

    def registers(self):
        """For each CPU what parse_registers() finds; [] when QEMU does not say."""
        return parse_registers(self.monitor("info registers -a"))

    def reset_by_guest(self):
        """True when the guest made the machine reset, by a triple fault or on purpose; it is paused now."""
        return any(e["event"] == "SHUTDOWN" and e["data"].get("guest") for e in self.events)

    def triple_fault(self):
        """True when QEMU saw one since the kernel came up."""
        return "Triple fault" in self.folder.text("qemu.log")[self.faults_seen:]

    def restarting(self):
        """True when the guest's reset was meant: the kernel said so, and QEMU saw no triple fault.

        What the kernel said may still be on its way through the serial line.
        """
        end = time.monotonic() + 0.5
        while not self.triple_fault():
            if "restarting" in self.folder.text("kernel.log").rstrip()[-40:]:
                return True
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        return False

    def restart(self):
        """Let the paused machine do the reset that it asked for.

        The firmware then resets it again in ways of its own, triple faults included, so resets pause the
        machine again only when the kernel has spoken: see settle().
        """
        self.events.clear()
        self.log_seen = len(self.folder.text("kernel.log"))
        for command, words in (("set-action", {"reboot": "reset"}), ("system_reset", {}), ("cont", {})):
            self._send({"execute": command, "arguments": words})

    def settle(self):
        """After restart(): once the kernel is up again, its next reset pauses the machine."""
        if self.log_seen is not None and len(self.folder.text("kernel.log")) > self.log_seen:
            self._send({"execute": "set-action", "arguments": {"reboot": "shutdown"}})
            self.log_seen, self.faults_seen = None, len(self.folder.text("qemu.log"))

    def powered_off(self):
        """True when the guest switched the machine off by ACPI."""
        return any(e["event"] == "SHUTDOWN" and e["data"].get("reason") == "guest-shutdown"
                   for e in self.events)

    def note_registers(self):
        """Leave in the folder what the processors hold, of a machine that has not ended by itself."""
        text = self.monitor("info registers -a") if self.process.poll() is None else ""
        if text:
            with open(self.folder.file("registers"), "w", encoding="ascii", errors="replace") as note:
                note.write(text)

    def stop(self):
        """End QEMU, if it still runs; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def parse_registers(text):
    """What `info registers -a` printed: for each CPU a dict of rip, cr2, cr3, cpl, halted, interrupts (on or off)."""
    cpus = []
    for part in re.split(r"CPU#\d+", text)[1:]:
        found = dict(re.findall(r"\b[RE]?(IP|FL|CR2|CR3|CPL|HLT)=\s*([0-9a-f]+)", part))
        if "IP" in found:
            cpus.append({"rip": int(found["IP"], 16), "cr2": int(found.get("CR2", "0"), 16),
                         "cr3": int(found.get("CR3", "0"), 16), "cpl": int(found["CPL"]), "halted": found["HLT"] == "1",
                         "interrupts": bool(int(found["FL"], 16) & 0x200)})
    return cpus


def symbol(address):
    """The kernel function an address lies in, as name+0x12, or the bare number."""
    best = None
    try:
        with open(os.path.join(KERNEL_BUILD, "vitrine.nm"), encoding="ascii") as nm:
            for line in nm:
                fields = line.split()
                if len(fields) == 3 and fields[1] in "tT" and int(fields[0], 16) <= address:
                    best = (int(fields[0], 16), fields[2])
    except OSError:
        pass
    if best is None or address < 1 << 63 or address - best[0] > 1 << 16:
        return f"{address:#x}"
    return f"{address:#x} {best[1]}+{address - best[0]:#x}"
