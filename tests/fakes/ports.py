"""Ports that nobody else takes between their choice and their use."""

import itertools
import os
import pathlib
import socket

FIRST = 10240  # below are those of other services
SLICES = 64  # processes side by side that are sure to choose others
_steps = itertools.count()


def free_port():
    """Below the range of outgoing connections, which the kernel gives to anybody; each process has a slice
    of its own."""
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    size = (end - FIRST) // SLICES
    while True:
        port = FIRST + os.getpid() % SLICES * size + next(_steps) % size
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
