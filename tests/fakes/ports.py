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
    """The number of the process's slice, and the socket by whose name it is its own until it ends."""
    for number in range(pid, pid + SLICES):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0hostk8s-registryd-ports-{number % SLICES}")
            return number % SLICES, claim
        except OSError:
            claim.close()
    raise OSError(f"{SLICES} processes have all ports")


@functools.cache
def _ports_of(pid):
    """How many ports the process has, and they again and again."""
    # Below the range of outgoing connections, which the kernel gives to anybody.
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    size = (end - FIRST) // SLICES
    first = FIRST + _slice_of(pid)[0] * size
    return size, itertools.cycle(range(first, first + size))


def free_port():
    size, ports = _ports_of(os.getpid())
    for port in itertools.islice(ports, size):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError(f"all {size} ports are taken")


def loopback_prefix():
    """The first half of addresses of this machine that no other process's tests listen at."""
    return f"127.{64 + _slice_of(os.getpid())[0]}"
