"""Luodi (落地): follows every signed investment project until it really operates."""
