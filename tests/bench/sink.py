"""A mail server that takes everything and keeps nothing, so that what is measured is the sender (`python -m tests.bench.sink`)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.load import ROOT

END = b"\r\n.\r\n"
ANSWERS = {b"EHLO": b"250 sink\r\n", b"QUIT": b"221 bye\r\n", b"DATA": b"354 go on\r\n"}


class Sink(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.reading, self.rest = transport, False, b""
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        while data:
            if self.reading:
                at = data.find(END)
                if at < 0:
                    self.rest = data[-4:]
                    return
                self.reading, data = False, data[at + 5 :]
                self.transport.write(b"250 taken\r\n")
                continue
            line, found, after = data.partition(b"\r\n")
            if not found:
                break
            data, verb = after, line[:4].upper()
            self.transport.write(ANSWERS.get(verb, b"250 ok\r\n"))
            if verb == b"DATA":
                self.reading, data = True, b"\r\n" + data  # a text may be nothing but its dot
        self.rest = data


@contextmanager
def sink() -> Iterator[int]:
    """Its port; a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
