"""The host side of Vitrine: what ./vm and the tools beside it are made of.

image     the root disk: stage a tree, make ext2 of it, copy files out
options   the command line of ./vm
machine   one QEMU: its command line, monitor and folder
link      the framed byte stream between a program in the guest and the host
verdict   how a run ended, and how that is said
bench     the verb `vm bench`: the benchmark, its table and its budget
chart     its picture
peer      Linux and the floor kernel, beside which Vitrine is measured
run       the verbs `vm run` and `vm boot`

Looking into a machine: memory and kernel know addresses and structures, runs which machine, state what it
means.

memory    the RAM file, by physical address; the processor's walk
dwarf     what the structures of the kernel look like
kernel    its variables and structures by name
runs      the folder of a run; holding a machine still
state     frames, spaces, pages, swap, processes

What it did before: schema what a record means, trace the records of a run, export the verb `vm trace`, perfetto a
format of its own.

What a policy would have done: policies is the verb `vm policies`, with refs.c inside QEMU; replacement reckons.

In gdb: debugger is the verb `vm gdb`, gdb/ its commands, postmortem makes a core file of a memory that is left over.
The course: lab/ has its own list.

Once more: replay does a run again, for `vm lastwrite` and `vm rewind`, with replay.c inside QEMU.

Python 3 with the standard library; dwarf needs python3-pyelftools.
"""
