"""Commands for gdb, which `./vm gdb` loads: the kernel's memory and the programs in it, in the words of ./vm.

guest      the stopped machine as the host library sees it, and which process runs on the processor that gdb looks at
views      vm ps, maps, walk, frame, ...: the verbs of ./vm with gdb's expressions as arguments; vm trace, vm fault
programs   vm use, vm at, break-user: symbols, backtraces and breakpoints of user programs
history    lastwrite, rewind: the run done again
printers   how gdb prints an entry, a frame, an anon, a region, a list
"""
