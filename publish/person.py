"""Who works here, as others are told who are in each other's way."""

import getpass
import os
import socket


def whoami() -> str:
    """User, machine and process, so that another person can find them. ASCII, as headers must be."""
    told = f"{getpass.getuser()} on {socket.gethostname()} (process {os.getpid()})"
    return told.encode("ascii", "replace").decode()
