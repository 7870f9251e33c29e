"""What `./vm gdb` tells gdb to read first: load the commands, connect, and go to where the user wants to be.

An editor that starts gdb and connects by itself sources this file for the commands: they mean the latest run.
"""
import os
import sys

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from vitrine.gdb import guest, views, programs, printers, history  # noqa: E402,F401
from vitrine.machine import HostError  # noqa: E402

gdb.execute("set pagination off")
gdb.execute("set print pretty on")
for cache in ("stack-cache", "code-cache"):  # one address is another process's memory a moment later
    gdb.execute(f"set {cache} off")
socket = os.environ.get("VITRINE_SOCKET")
if socket:
    gdb.execute(f"target remote {socket}", to_string=True)
    if guest.not_started():
        gdb.execute(f"thbreak {os.environ['VITRINE_AT']}", to_string=True)
        gdb.execute("continue")
elif socket is not None:
    try:
        guest.open_core()
        print("The machine of this run is over. Its memory is here: vm ps, print, and threads where they slept.")
    except HostError as error:
        print(f"The machine of this run is over: {error}.")
