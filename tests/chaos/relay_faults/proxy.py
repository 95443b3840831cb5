"""A stretch of network between a client and a server of this machine that can be cut, stopped and slowed down."""
import collections
import selectors
import socket
import struct
import threading
import time

CHUNK = 256 * 1024
MOST_WAITING = 64 * 1024 * 1024  # bytes on their way in one direction of one connection
LINGER = struct.pack("ii", 1, 0)  # close with a reset
PRODUCE = 0


class Stream:
    """One direction of a connection: what was read and when it may be written."""

    def __init__(self, name, source, target):
        self.name, self.source, self.target = name, source, target
        self.waiting = collections.deque()  # (due, bytes)
        self.size = 0
        self.ended = self.done = False


class Requests:
    """Which answers of a Kafka connection belong to Produce requests."""

    def __init__(self):
        self._head, self._left = b"", 0
        self.produce = set()  # correlation ids

    def feed(self, data):
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
                data = data[taken:]
                continue
            need = 12 - len(self._head)
            self._head += data[:need]
            data = data[need:]
            if len(self._head) == 12:
                size, key, _, correlation = struct.unpack(">ihhi", self._head)
                if key == PRODUCE:
                    self.produce.add(correlation)
                self._head, self._left = b"", size - 8

    def answers_produce(self, data):
        """Whether these bytes, read where an answer begins, are one to a Produce request."""
        return len(data) >= 8 and struct.unpack(">i", data[4:8])[0] in self.produce


class Link:
    """A client's connection and the one made for it to the server."""

    def __init__(self, client, server):
        self.to_server, self.to_client = Stream("to_server", client, server), Stream("to_client", server, client)
        self.streams = (self.to_server, self.to_client)
        self.requests = Requests()

    def reset(self):
        for stream in self.streams:
            stream.done = True
            reset(stream.source)


def reset(one):
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    except OSError:  # closed already
        pass
    one.close()


class Proxy:
    """Thread safe. Forwards from `listen` to 127.0.0.1:`target`; what is set holds for new connections too."""

    def __init__(self, listen, target, kafka=False):
        self.target, self._kafka = target, kafka
        self.connections = self.cuts = self.lost_answers = self.refused = self.late_bytes = 0
        self.delay = 0.0              # seconds that every byte is on its way
        self._hang = frozenset()      # directions in which nothing passes: to_server, to_client
        self._refuse = False
        self._lose_next = False
        self._links, self._lock, self._stop = [], threading.Lock(), threading.Event()
        self._listener = socket.create_server(listen)
        self._listener.setblocking(False)
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._run, name=f"proxy {target}", daemon=True)
        self._thread.start()

    def close(self):
        self._stop.set()
        self._thread.join()
        self.cut()
        self._listener.close()

    def cut(self):
        """Resets every connection; returns how many there were."""
        with self._lock:
            links, self._links = self._links, []
            for link in links:
                link.reset()
            self.cuts += len(links)
            return len(links)

    def refuse(self, refuse):
        """While true, the server is away: connections are reset at once."""
        self._refuse = refuse
        if refuse:
            self.cut()

    def hang(self, *directions):
        """In these directions nothing passes until the next call."""
        self._hang = frozenset(directions)

    def lose_next_answer(self):
        """The answer to the next Produce request is dropped and the connection reset."""
        self._lose_next = True

    @property
    def waits_to_lose(self):
        return self._lose_next

    def under_way(self):
        """Bytes that were read and not yet passed on."""
        with self._lock:
            return sum(stream.size for link in self._links for stream in link.streams)

    def heal(self):
        self.refuse(False)
        self.hang()
        self.delay, self._lose_next = 0.0, False

    def _run(self):
        while not self._stop.is_set():
            with self._lock:
                self._accept()
                busy = [self._turn(link) for link in self._links]
                self._links = [link for link in self._links if not all(stream.done for stream in link.streams)]
                watched = [stream for link in self._links for stream in link.streams]
            if not any(busy):
                self._sleep(watched)

    def _sleep(self, streams):
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            for stream in streams:
                if not stream.ended and stream.size < MOST_WAITING and not self._stopped(stream):
                    try:
                        selector.register(stream.source, selectors.EVENT_READ)
                    except (ValueError, KeyError, OSError):  # cut meanwhile
                        pass
            waits = any(stream.waiting for stream in streams)
            selector.select(0.002 if waits else 0.05)

    def _stopped(self, stream):
        return stream.name in self._hang

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        if self._refuse:
            self.refused += 1
            reset(client)
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=1)
        except OSError:
            reset(client)
            return
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links.append(Link(client, server))
        self.connections += 1

    def _turn(self, link):
        """Moves what can be moved; whether anything was."""
        moved = False
        for stream in link.streams:
            try:
                moved |= self._read(link, stream)
            except OSError:
                if stream is link.to_client:
                    link.reset()
                stream.ended = True
            try:
                moved |= self._write(link, stream)
            except OSError:
                if stream is link.to_server:
                    link.reset()
                self._client_is_gone(link)
        return moved

    @staticmethod
    def _client_is_gone(link):
        """Its bytes are still on their way: a network delivers them all the same."""
        link.to_server.ended = link.to_client.ended = link.to_client.done = True
        link.to_client.waiting.clear()
        link.to_client.size = 0

    def _read(self, link, stream):
        if stream.ended or stream.done or stream.size >= MOST_WAITING or self._stopped(stream):
            return False
        try:
            data = stream.source.recv(CHUNK)
        except BlockingIOError:
            return False
        if not data:
            stream.ended = True
            return True
        if self._kafka and stream is link.to_server:
            link.requests.feed(data)
        if self._lose_next and stream is link.to_client and link.requests.answers_produce(data):
            self._lose_next = False
            self.lost_answers += 1
            link.reset()
            return True
        stream.waiting.append((time.monotonic() + self.delay, data))
        stream.size += len(data)
        return True

    def _write(self, link, stream):
        if stream.done or self._stopped(stream):
            return False
        moved = False
        while stream.waiting and stream.waiting[0][0] <= time.monotonic():
            due, data = stream.waiting.popleft()
            try:
                sent = stream.target.send(data)
            except BlockingIOError:
                sent = 0
            moved = moved or sent > 0
            stream.size -= sent
            if stream is link.to_server and stream.ended:
                self.late_bytes += sent
            if sent < len(data):
                stream.waiting.appendleft((due, data[sent:]))
                break
        if stream.ended and not stream.waiting:
            self._end(link, stream)
            return True
        return moved

    @staticmethod
    def _end(link, stream):
        stream.done = True
        try:
            stream.target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if all(one.done for one in link.streams):
            for one in link.streams:
                one.source.close()
