"""A mail server that behaves as badly as it is told to, in every phase: a real socket, and a script instead of manners."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import trustme

DROP, HANG, DRIP, FLOOD = "drop", "hang", "drip", "flood"
"""Instead of an answer: close the connection, say nothing more, one byte at a time for ever, lines without end."""
MANNERS = {
    "greeting": "220 peer", "EHLO": "250 peer", "HELO": "250 peer", "STARTTLS": "220 go on", "AUTH": "235 welcome", "MAIL": "250 ok",
    "RCPT": "250 ok", "DATA": "354 go on", "text": "", "dot": "250 taken", "RSET": "250 ok", "QUIT": "221 bye",
}  # fmt: skip
Answer = str | list[str] | Callable[[str], str]
"""What to say; a list is gone through answer by answer, its last one repeats; a function gets the line that came."""


class Peer:
    """What was said and taken. `letters` are (recipient, Message-ID) of everything answered with 250 at the dot,
    `texts` whatever came with its dot."""

    def __init__(self, answers: dict[str, Answer], features: list[str], tls: ssl.SSLContext | None) -> None:
        self.answers: dict[str, Answer] = {**MANNERS, **answers}
        self.features, self.tls = features, tls
        self.letters: list[tuple[str, str]] = []
        self.texts: list[tuple[str, bytes]] = []
        self.connections = 0
        self.closing = False
        """Takes no further connection: its process ends with the one it has."""
        self.heard: list[str] = []
        self.over = threading.Event()

    @property
    def accepted(self) -> list[str]:
        """The Message-ID of every copy that was taken."""
        return [message_id for _, message_id in self.letters]

    def say(self, phase: str, line: str = "") -> str:
        """The next answer of a phase."""
        answer = self.answers[phase]
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(line) if callable(answer) else answer


class Talk:
    """One connection."""

    def __init__(self, peer: Peer, sock: socket.socket) -> None:
        self.peer, self.sock, self.to, self.secure = peer, sock, "", False
        self.reading: Any = sock.makefile("rb")

    def run(self) -> None:
        with suppress(OSError, ConnectionError, ValueError):
            if self.tell(self.peer.say("greeting")):
                while line := self.reading.readline():
                    if not self.command(line.decode("utf-8", "replace").strip()):
                        break
        with suppress(OSError):
            self.sock.close()

    def tell(self, answer: str) -> bool:
        """Say it, in the way it wants to be said; False when the connection is over."""
        if answer in (DROP, HANG):
            if answer == HANG:
                self.peer.over.wait(30)
            return False
        if answer in (DRIP, FLOOD):
            piece, pause = (b"2", 0.02) if answer == DRIP else (b"250-" + b"x" * 900 + b"\r\n", 0.0)
            while not self.peer.over.wait(pause):
                self.sock.sendall(piece)
            return False
        self.sock.sendall(answer.encode() + b"\r\n")
        return not answer.startswith("421")

    def command(self, line: str) -> bool:
        verb = line.partition(" ")[0].upper()
        self.peer.heard.append(verb)
        if verb == "EHLO":
            answer = self.peer.say("EHLO", line)
            features = [one for one in self.peer.features if one != "STARTTLS" or not self.secure]
            if answer.startswith("250") and features:
                answer = "\r\n".join([answer.replace(" ", "-", 1), *(f"250-{one}" for one in features[:-1]), f"250 {features[-1]}"])
            return self.tell(answer)
        if verb == "RCPT":
            self.to = line.partition("<")[2].partition(">")[0]
        if verb not in self.peer.answers:
            return self.tell("500 what?")
        answer = self.peer.say(verb, line)
        if not self.tell(answer) or verb == "QUIT":
            return False
        if verb == "STARTTLS" and answer.startswith("220"):
            assert self.peer.tls is not None
            self.sock = self.peer.tls.wrap_socket(self.sock, server_side=True)
            self.reading, self.secure = self.sock.makefile("rb"), True
        if verb == "DATA" and answer.startswith("354"):
            return self.text()
        return True

    def text(self) -> bool:
        """Up to the dot; what was taken is noted before it is said, as mail servers do."""
        lines = []
        while (line := self.reading.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line)
            if len(lines) == 1 and self.peer.say("text", self.to) == DROP:
                return False
        self.peer.texts.append((self.to, b"".join(lines)))
        found = re.search(rb"(?mi)^Message-ID:\s*(<[^>]+>)", b"".join(lines))
        answer = self.peer.say("dot", self.to)
        lie = answer.partition(" then ")
        if lie[0].startswith("250"):
            self.peer.letters.append((self.to, found[1].decode() if found else ""))
        return self.tell(lie[0]) and lie[2] != DROP


@contextmanager
def hostile(
    answers: dict[str, Answer] | None = None,
    *,
    features: list[str] | None = None,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    port: int = 0,
) -> Iterator[tuple[Peer, int]]:
    """A peer and its port on loopback. `features` are announced after EHLO; `implicit` speaks TLS from the first byte; `port` is
    for one that comes up again where another one was."""
    peer = Peer(answers or {}, features or [], tls)
    listening = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        while listening.fileno() >= 0:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            peer.connections += 1
            if peer.closing:
                listening.close()
            threading.Thread(target=meet, args=(sock,), daemon=True).start()

    def meet(sock: socket.socket) -> None:
        try:
            if implicit:
                assert tls is not None
                sock = tls.wrap_socket(sock, server_side=True)
        except OSError:
            return
        Talk(peer, sock).run()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield peer, listening.getsockname()[1]
    finally:
        peer.over.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for callers; a mere close would leave the port open
        thread.join(10)
        listening.close()


class Authority:
    """A certificate authority of one test, its file for SMTP_CA, and a server's context for a name."""

    def __init__(self, folder: Any) -> None:
        self._made = trustme.CA()
        self.file = folder / "authority.pem"
        self._made.cert_pem.write_to_path(str(self.file))

    def context(self, name: str) -> ssl.SSLContext:
        """What a server with a certificate for this name speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._made.issue_cert(name).configure_cert(context)
        return context
