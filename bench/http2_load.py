"""A load generator for unary gRPC calls: one thread, raw HTTP/2 frames, unique request bodies.

It exists because a Python gRPC client is slower than the server it would measure, and tools like h2load send one body
over and over, which an idempotent service answers from memory. It speaks just enough HTTP/2 for one server on loopback:
no TLS, no CONTINUATION, header blocks without compression. It is a measuring tool and nothing else uses it.
"""

import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LARGEST_WINDOW = 2**31 - 1


@dataclass
class Result:
    """What one run measured; latencies in seconds."""

    completed: int = 0
    failed: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.completed / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


class _Connection:
    def __init__(self, host: str, port: int, path: str) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = (
            b"\x83\x86"  # :method POST, :scheme http, from the static table
            + _literal(b":path", path.encode())
            + _literal(b":authority", b"localhost")
            + _literal(b"content-type", b"application/grpc")
            + _literal(b"te", b"trailers")
        )
        settings = struct.pack(">HIHI", 2, 0, 4, LARGEST_WINDOW)  # no push; streams may send what they have
        self.socket.sendall(
            PREFACE
            + _frame(SETTINGS, 0, 0, settings)
            + _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - 65_535)),
        )
        self.socket.setblocking(False)
        self.next_stream = 1
        self.window = 65_535
        self.started: dict[int, float] = {}
        self.got_data: set[int] = set()
        self.out = bytearray()
        self._in = bytearray()
        self._received = 0

    def send(self, body: bytes, now: float) -> None:
        message = b"\0" + struct.pack(">I", len(body)) + body
        self.out += _frame(HEADERS, END_HEADERS, self.next_stream, self._headers)
        self.out += _frame(DATA, END_STREAM, self.next_stream, message)
        self.window -= len(message)
        self.started[self.next_stream] = now
        self.next_stream += 2

    def flush(self) -> None:
        if self.out:
            try:
                sent = self.socket.send(self.out)
            except BlockingIOError:
                return
            del self.out[:sent]

    def receive(self, result: Result) -> None:
        try:
            part = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        if not part:
            raise ConnectionError("the server closed the connection")
        buffer = self._in
        buffer += part
        now, position, end = time.perf_counter(), 0, len(buffer)
        while end - position >= 9:
            length = int.from_bytes(buffer[position : position + 3], "big")
            if end - position < 9 + length:
                break
            kind, flags = buffer[position + 3], buffer[position + 4]
            stream = int.from_bytes(buffer[position + 5 : position + 9], "big")
            start = position + 9
            position = start + length
            if kind == DATA:
                self.got_data.add(stream)
                self._received += length
            elif kind in {HEADERS, RST} and (flags & END_STREAM or kind == RST):
                result.latencies.append(now - self.started.pop(stream))
                if stream in self.got_data:
                    self.got_data.discard(stream)
                    result.completed += 1
                else:
                    result.failed += 1
            elif kind == WINDOW_UPDATE and stream == 0:
                self.window += int.from_bytes(buffer[start : start + 4], "big")
            elif kind == SETTINGS and not flags & ACK:
                self.out += _frame(SETTINGS, ACK, 0, b"")
            elif kind == PING and not flags & ACK:
                self.out += _frame(PING, ACK, 0, bytes(buffer[start:position]))
            elif kind == GOAWAY:
                raise ConnectionError("the server sent GOAWAY")
        del buffer[:position]
        if self._received > 1 << 28:
            self.out += _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self._received))
            self._received = 0


def run(
    port: int,
    path: str,
    bodies: Iterator[bytes],
    *,
    in_flight: int,
    connections: int = 4,
    rate: float = 0.0,
    host: str = "127.0.0.1",
) -> Result:
    """Send every body once and wait for the answers.

    Closed loop: ``in_flight`` calls at a time. With ``rate`` (calls a second) also paced: latency then counts from the
    moment a call was due, so that a stalled server cannot hide its stalls.
    """
    pool = [_Connection(host, port, path) for _ in range(connections)]
    each = max(1, in_flight // connections)
    result = Result()
    poller = select.epoll()
    by_descriptor = {c.socket.fileno(): c for c in pool}
    for descriptor in by_descriptor:
        poller.register(descriptor, select.EPOLLIN)
    waiting: deque[bytes] = deque()
    exhausted = False
    started = time.perf_counter()
    due = started
    while True:
        now = time.perf_counter()
        for connection in pool:
            while len(connection.started) < each and connection.window > 4_096:
                if not waiting and not exhausted:
                    body = next(bodies, None)
                    if body is None:
                        exhausted = True
                    else:
                        waiting.append(body)
                if not waiting or (rate and due > now):
                    break
                connection.send(waiting.popleft(), due if rate else now)
                if rate:
                    due += 1 / rate
            connection.flush()
        if exhausted and not waiting and not any(c.started for c in pool):
            break
        timeout = max(0.0, due - time.perf_counter()) if rate and waiting else 1.0
        for descriptor, _ in poller.poll(min(timeout, 1.0)):
            by_descriptor[descriptor].receive(result)
    result.seconds = time.perf_counter() - started
    for connection in pool:
        connection.socket.close()
    poller.close()
    return result
