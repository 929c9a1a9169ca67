"""A run on a kernel without epoll_pwait2 (Linux before 5.11), and in a sandbox that refuses it, keeps its schedule.

Usage: oldkernel.py FLOODGATE
"""

import ctypes
import errno
import json
import os
import struct
import subprocess
import sys

EPOLL_PWAIT2 = 441  # On every architecture: system calls from 424 on have one number.
LIBC = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def refuse(number):
    """Makes epoll_pwait2 fail with this error, in this process and its children."""
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, EPOLL_PWAIT2), (0x06, 0, 0, 0x00050000 | number), (0x06, 0, 0, 0x7FFF0000)]
    steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = Program(4, ctypes.addressof(steps))
    # PR_SET_NO_NEW_PRIVS; PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    if LIBC.prctl(38, 1, 0, 0, 0) or LIBC.prctl(22, 2, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the system call filter is refused")


def main():
    command = [sys.argv[1], "run", "--rate", "500", "--connections", "64", "--duration", "2s", "--json"]
    for number in [errno.ENOSYS, errno.EPERM]:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True,
                              preexec_fn=lambda number=number: refuse(number))
        total = json.loads(done.stdout)["total"]
        print(os.strerror(number), "-", total["responses"], "responses, latency", total["latency_ms"])
        assert total["responses"] == 1000, total
        # Waits of whole milliseconds would make half of the requests half a millisecond late.
        assert total["lag_ms"]["median"] < 0.45, total["lag_ms"]


main()
