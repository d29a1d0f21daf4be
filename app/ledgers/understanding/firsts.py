"""Keys in the order in which they first came, kept small: each is a 64-bit hash and has a number from 0. Pure.

A dict takes some 140 bytes for each, as every key and every number is an object beside its table; here it is 8 bytes and a part of a
table of numbers that is filled up to two thirds: 14 to 20.

Keys are hashes of texts, salted for each process, so that nobody can choose texts that meet. Of files with 100,000 keys one in some
thousand million has two that differ and are taken for one.
"""

from __future__ import annotations

from array import array

_SLOTS = 1 << 10


class Firsts:
    """Open addressing: the number of a key, plus one, lies in the slot of the key or in the next free one after it."""

    def __init__(self) -> None:
        self._keys = array("q")
        self._lay(_SLOTS)

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: int) -> int | None:
        """The number of a key, if it came before."""
        number = self._slots[self._slot(key)]
        return number - 1 if number else None

    def number(self, key: int) -> int:
        """The number of a key, which is the next one (`len`) when it did not come before."""
        at = self._slot(key)
        if number := self._slots[at]:
            return number - 1
        self._keys.append(key)
        self._slots[at] = number = len(self._keys)
        if number == self._most:
            self._lay(2 * len(self._slots))
        return number - 1

    def _slot(self, key: int) -> int:
        """The slot of a key, or the free one that it would take."""
        slots, keys, mask = self._slots, self._keys, self._mask
        at = key & mask
        while (number := slots[at]) and keys[number - 1] != key:
            at = at + 1 & mask
        return at

    def forget(self, count: int) -> None:
        """All but the first so many leave. Takes as long as the whole is large."""
        if count < len(self._keys):
            del self._keys[count:]
            self._lay(len(self._slots))

    def _lay(self, size: int) -> None:
        """Make the table anew, with so many slots."""
        self._slots = slots = array("I", (0,)) * size
        self._mask = mask = size - 1
        self._most = 2 * size // 3
        for number, key in enumerate(self._keys, 1):
            at = key & mask
            while slots[at]:
                at = at + 1 & mask
            slots[at] = number
