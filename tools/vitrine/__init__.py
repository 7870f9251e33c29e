"""The host side of Vitrine: what ./vm and the tools beside it are made of.

image     the root disk: stage a tree, make ext2 of it, copy files out
options   the command line of ./vm
machine   one QEMU: its command line, monitor and folder
link      the framed byte stream between a program in the guest and the host
verdict   how a run ended, and how that is said
run       the verbs `vm run` and `vm boot`

Python 3 with nothing but the standard library.
"""
