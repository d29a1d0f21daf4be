"""The directory and the streams of an OLE compound file ([MS-CFB]), as far as an .xls needs them. Reads, never writes.

Every chain is followed at most as long as the file has sectors, so a loop in a damaged file ends.
"""

from __future__ import annotations

import struct

from app.ledgers.sheets.limits import Refuse

_END = 0xFFFFFFFA
"""From here on a sector number is a mark: free, end of chain, FAT, DIFAT."""
_SMALL = 4096


class Compound:
    """`names` of all entries; `stream(name)` is the content of one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            self._open()
        except (struct.error, IndexError, ValueError) as error:
            raise Refuse("damaged") from error

    def _open(self) -> None:
        data = self._data
        shift, mini_shift = struct.unpack_from("<HH", data, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise ValueError("sector size")
        self._size = 1 << shift
        self._sectors = len(data) // self._size + 1
        count, directory = struct.unpack_from("<I", data, 44)[0], struct.unpack_from("<I", data, 48)[0]
        mini_fat, difat = struct.unpack_from("<I", data, 60)[0], struct.unpack_from("<I", data, 68)[0]
        if count > self._sectors:
            raise ValueError("FAT larger than the file")
        places = list(struct.unpack_from("<109I", data, 76))
        steps = 0
        while difat < _END and steps <= self._sectors:
            block = struct.unpack(f"<{self._size // 4}I", self._sector(difat))
            places += block[:-1]
            difat = block[-1]
            steps += 1
        self._fat: list[int] = []
        for place in places[:count]:
            if place < _END:
                self._fat += struct.unpack(f"<{self._size // 4}I", self._sector(place))
        self._entries: dict[str, tuple[int, int]] = {}
        root = (0, 0)
        listing = self._chain(directory)
        for begin in range(0, len(listing) - 127, 128):
            entry = listing[begin : begin + 128]
            length, kind = struct.unpack_from("<H", entry, 64)[0], entry[66]
            if not kind or not 2 <= length <= 64:
                continue
            start, size = struct.unpack_from("<IQ", entry, 116)
            size = size if shift == 12 else size & 0xFFFFFFFF
            if kind == 5:
                root = (start, size)
            self._entries.setdefault(entry[: length - 2].decode("utf-16-le", "replace"), (start, size))
        self._mini_fat = b"" if mini_fat >= _END else self._chain(mini_fat)
        self._mini = b"" if root[0] >= _END else self._chain(root[0])[: root[1]]

    @property
    def names(self) -> list[str]:
        return list(self._entries)

    def stream(self, name: str) -> bytes:
        """The content of the entry of that name in any case; Refuse when it is not there or damaged."""
        found = next((entry for own, entry in self._entries.items() if own.lower() == name.lower()), None)
        if found is None:
            raise Refuse("damaged")
        start, size = found
        if size > len(self._data):
            raise Refuse("damaged")
        try:
            content = self._chain(start) if size >= _SMALL else self._small(start, size)
        except (struct.error, IndexError, ValueError) as error:
            raise Refuse("damaged") from error
        if len(content) < size:
            raise Refuse("damaged")
        return content[:size]

    def _sector(self, number: int) -> bytes:
        begin = (number + 1) * self._size
        found = self._data[begin : begin + self._size]
        if not found:
            raise ValueError("a sector outside the file")
        return found.ljust(self._size, b"\0")

    def _chain(self, sector: int) -> bytes:
        parts = []
        while sector < _END:
            parts.append(self._sector(sector))
            if len(parts) > self._sectors:
                raise ValueError("a chain that never ends")
            sector = self._fat[sector]
        return b"".join(parts)

    def _small(self, sector: int, size: int) -> bytes:
        parts: list[bytes] = []
        while sector < _END and len(parts) * 64 < size:
            parts.append(self._mini[sector * 64 : sector * 64 + 64])
            sector = struct.unpack_from("<I", self._mini_fat, sector * 4)[0]
        return b"".join(parts)
