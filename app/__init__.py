"""Luodi (落地): follows every signed investment project until it really operates."""

__version__ = "0.1.0"
