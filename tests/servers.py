"""A server on this machine that misbehaves on request."""

import contextlib
import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from waiting import HANGS

DATA = bytes(range(256)) * 4096  # 1 MiB
HALF = len(DATA) // 2
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(DATA).hexdigest()


@dataclass
class Reply:
    """One answer of the server: a whole one by default, cut after `sent` bytes of its body.

    `head` is the length that an answer to HEAD has; without it, HEAD is not known. With `drip`, the
    body comes byte by byte, that many seconds apart."""

    body: bytes = DATA
    status: int = 200
    sent: int | None = None
    etag: str | None = '"one"'
    ranges: bool = True
    if_range: bool = True
    length: bool = True
    head: int | None = None
    drip: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []

    def serve(self, path, *replies):
        """Serves these answers in turn, the last one repeatedly, and returns the URL."""
        self.replies[path] = list(replies)
        return self.base + path

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_port}"

    def ranges(self):
        return [headers.get("range") for _, headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    timeout = HANGS

    def do_GET(self):
        path, headers = self.path.partition("?")[0], self.asked()
        replies = self.server.replies.get(path, [Reply(b"nothing here", 404)])
        self.answer(replies.pop(0) if len(replies) > 1 else replies[0], headers)

    def do_HEAD(self):
        self.asked()
        reply = self.server.replies[self.path.partition("?")[0]][0]
        self.send_response(501 if reply.head is None else 200)
        self.send_header("Content-Length", str(reply.head or 0))
        if reply.etag:
            self.send_header("ETag", reply.etag)
        self.end_headers()

    def asked(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path.partition("?")[0], headers))
        return headers

    def answer(self, reply, asked):
        status, body, extra = reply.status, reply.body, dict(reply.headers)
        same = not reply.if_range or asked.get("if-range", reply.etag) == reply.etag
        if status == 200 and reply.ranges and same and "range" in asked:
            first, last = asked["range"].removeprefix("bytes=").split("-")
            start, total = int(first), len(body)
            if start >= total:
                status, body, extra["Content-Range"] = 416, b"", f"bytes */{total}"
            else:
                end = min(int(last or total), total - 1)
                status, body = 206, body[start : end + 1]
                extra["Content-Range"] = f"bytes {start}-{end}/{total}"
        self.send_response(status)
        if reply.length:
            self.send_header("Content-Length", str(len(body)))
        if reply.etag:
            self.send_header("ETag", reply.etag)
        for name, value in {"Content-Type": "application/octet-stream", **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.drip is None:
            self.wfile.write(body[: reply.sent])
        else:
            # It ends with an error when the client closes the connection.
            with contextlib.suppress(OSError):
                for byte in body[: reply.sent]:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(reply.drip)
        if reply.hold:
            self.wfile.flush()
            reply.hold.wait(HANGS)

    def log_message(self, *_):
        pass
