"""Ports that nobody else takes between their choice and their use, nor while what listened there is down."""

import functools
import itertools
import os
import pathlib
import socket

FIRST = 10240  # below are those of other services
SLICES = 160  # as many processes may run side by side


@functools.cache
def _slice_of(pid):
    """How many ports the process has, they again and again, and the socket by whose name they are its own."""
    # Below the range of outgoing connections, which the kernel gives to anybody.
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    size = (end - FIRST) // SLICES
    for number in range(pid, pid + SLICES):
        first, claim = FIRST + number % SLICES * size, socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0hostk8s-registryd-ports-{first}")
            return size, itertools.cycle(range(first, first + size)), claim
        except OSError:
            claim.close()
    raise OSError(f"{SLICES} processes have all ports")


def free_port():
    size, ports, _ = _slice_of(os.getpid())
    for port in itertools.islice(ports, size):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError(f"all {size} ports are taken")
