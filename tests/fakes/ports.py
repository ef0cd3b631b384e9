"""Ports that nobody else takes between their choice and their use."""

import functools
import itertools
import os
import pathlib
import socket

FIRST = 10240  # below are those of other services
SLICES = 64  # as many processes side by side, each with one of its own
_steps = itertools.count()


@functools.cache
def _slice(pid):
    """The process's own until its end: with it goes the socket that has its name."""
    for number in range(pid, pid + SLICES):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0hostk8s-registryd-ports-{number % SLICES}")
            return number % SLICES, claim
        except OSError:
            claim.close()
    raise OSError(f"{SLICES} processes want ports")


def free_port():
    """Below the range of outgoing connections, which the kernel gives to anybody."""
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    size = (end - FIRST) // SLICES
    number, _ = _slice(os.getpid())
    while True:
        port = FIRST + number * size + next(_steps) % size
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def loopback_prefix():
    """The first half of addresses of this machine that no other process's tests listen at."""
    number, _ = _slice(os.getpid())
    return f"127.{100 + number}"
