"""A TLS server on loopback that is asked for nothing but its certificate."""

import contextlib
import socket
import ssl
import tempfile
import threading


class TlsServer:
    """Shakes hands with whoever comes, and says nothing; gives its port."""

    def __init__(self, chain: str, key: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write((key + chain).encode())
            file.flush()
            self._context.load_cert_chain(file.name)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._context.wrap_socket(plain, server_side=True).close()
            plain.close()
