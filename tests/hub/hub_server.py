"""A hub of our own on the loopback: the two endpoints that `tinyllm pull` uses and a CDN on another port, with faults to order.

Written from the hub's public behaviour: GET /api/models/{id}/revision/{revision}?blobs=true lists files with sizes, git blob ids and, for
large files, sha256; GET /{id}/resolve/{commit}/{path} sends small files and redirects large ones to a signed address elsewhere; HEAD answers with
the same headers. A mirror that knows no `blobs` lists names alone.
"""
import hashlib
import http.server
import json
import re
import sys
import threading
import time
import urllib.parse

LARGE = 4096  # from this size on a file is in large-file storage


def blob_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Model:
    """`files`: {path: bytes}. Branches all stand at `commit`."""

    def __init__(self, files, commit="1" * 40, token=None, branches=("main",)):
        self.files, self.commit, self.token, self.branches = dict(files), commit, token, branches
        self.extra = []  # rows of the list that no file stands behind
        self.names_alone = False

    def listing(self):
        rows = []
        for name, data in self.files.items():
            if self.names_alone:
                rows.append({"rfilename": name, "size": None, "blobId": None, "lfs": None} if name.endswith(".json") else {"rfilename": name})
                continue
            row = {"rfilename": name, "size": len(data), "blobId": blob_id(data)}
            if len(data) >= LARGE:
                row["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            rows.append(row)
        return {"id": "x", "sha": self.commit, "siblings": rows + self.extra}


class Fault:
    """Taken once (or `times`) by the first request whose path matches; `act(handler, data)` answers in the server's place."""

    def __init__(self, pattern, act, times=1):
        self.pattern, self.act, self.times = re.compile(pattern), act, times


def status(code, **headers):
    def act(handler, _):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), str(value))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return act


def cut_after(count, whole_length=True):
    """Sends `count` bytes of the body that is asked for, then hangs up."""
    def act(handler, data):
        handler.send_file(data, most=count, length=whole_length)
        handler.close_connection = True
    return act


def ignore_range(handler, data):
    handler.send_file(data, ranges=False)


def instead(other):
    """Other bytes than the listed ones."""
    return lambda handler, data: handler.send_file(other)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms between its head and its body

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        path = urllib.parse.urlsplit(self.path)
        with hub.lock:
            hub.requests.append((self.server.role, self.path, {**self.headers, "Method": self.command}))
            fault = next((f for f in hub.faults if f.times > 0 and f.pattern.search(f"{self.server.role} {self.path}")), None)
            if fault:
                fault.times -= 1
        try:
            if self.server.role == "cdn":
                data = hub.cdn_files[path.path]
                return fault.act(self, data) if fault else self.send_file(data)
            if fault:
                return fault.act(self, self.data_of(path))
            return self.answer(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def model_of(self, path):
        parts = urllib.parse.unquote(path.path).split("/")
        if parts[1:3] == ["api", "models"]:
            return self.server.hub.models.get("/".join(parts[3:5]))
        return self.server.hub.models.get("/".join(parts[1:3]))

    def data_of(self, path):
        if path.path == "/rows":
            return self.server.hub.rows(path) or b""
        model, parts = self.model_of(path), urllib.parse.unquote(path.path).split("/resolve/")
        return model.files.get(parts[1].split("/", 1)[1], b"") if model and len(parts) == 2 else b""

    def answer(self, path):
        hub = self.server.hub
        if path.path == "/rows":
            page = hub.rows(path)
            return status(404)(self, b"") if page is None else self.send_file(page)
        model = self.model_of(path)
        given = self.headers.get("Authorization")
        if model is None:
            return status(401, X_Error_Code="RepoNotFound")(self, b"")
        if model.token and given != f"Bearer {model.token}":
            return status(401 if not given else 403, X_Error_Code="GatedRepo")(self, b"")
        if "/revision/" in path.path:
            revision = urllib.parse.unquote(path.path.split("/revision/")[1])
            if revision not in model.branches and revision != model.commit:
                return status(404, X_Error_Code="RevisionNotFound")(self, b"")
            return self.send_json(model.listing())
        commit, name = urllib.parse.unquote(path.path.split("/resolve/")[1]).split("/", 1)
        data = model.files.get(name)
        if data is None or commit != model.commit:
            return status(404, X_Error_Code="EntryNotFound")(self, b"")
        if len(data) < LARGE:
            return self.send_file(data, ETag=f'"{blob_id(data)}"')
        sha256 = hashlib.sha256(data).hexdigest()
        hub.cdn_files[f"/store/{sha256}"] = data
        status(302, Location=f"http://{hub.cdn_host}:{hub.cdn_port}/store/{sha256}?Signature=secret-{len(hub.requests)}", X_Linked_Etag=f'"{sha256}"',
               X_Linked_Size=len(data), X_Repo_Commit=model.commit)(self, b"")

    def send_json(self, value):
        self.send_file(json.dumps(value).encode())

    def send_file(self, data, most=None, ranges=True, length=True, **headers):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(asked[1]) if asked and ranges else 0
        if first >= len(data) > 0:
            return status(416, Content_Range=f"bytes */{len(data)}")(self, b"")
        self.send_response(206 if asked and ranges else 200)
        if asked and ranges:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        if length:
            self.send_header("Content-Length", str(len(data) - first))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = data[first:] if most is None else data[first:first + most]
        if self.command == "HEAD":
            return
        for at in range(0, len(body), 65536):
            self.wfile.write(body[at:at + 65536])
            if self.server.hub.slow:
                self.wfile.flush()
                time.sleep(self.server.hub.slow)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients that were killed
            super().handle_error(request, client_address)


class Hub:
    """`with Hub() as hub:` serves hub.models at hub.url."""

    def __init__(self):
        self.models, self.faults, self.requests, self.cdn_files = {}, [], [], {}
        self.data = {}  # {(dataset, config, split): [row]}
        self.lock, self.slow, self.cdn_host = threading.Lock(), 0, "127.0.0.1"

    def __enter__(self):
        self.servers = []
        for role in ("hub", "cdn"):
            server = Server(("127.0.0.1", 0), Handler)
            server.role, server.hub = role, self
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            self.servers.append(server)
        self.port, self.cdn_port = (server.server_address[1] for server in self.servers)
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def asked(self, role, word=""):
        """Requests to the hub or the CDN whose path holds `word`."""
        return [(path, headers) for who, path, headers in self.requests if who == role and word in path]

    def rows(self, path):
        """One answer of the rows API; None where there is no such split, or too many rows are asked for."""
        query = urllib.parse.parse_qs(path.query)
        key = tuple(query[name][0] for name in ("dataset", "config", "split"))
        first, count = int(query["offset"][0]), int(query["length"][0])
        if key not in self.data or count > 100:
            return None
        rows = self.data[key]
        page = [{"row_idx": i, "row": row, "truncated_cells": []} for i, row in enumerate(rows[first:first + count], first)]
        return json.dumps({"features": [], "num_rows_total": len(rows), "num_rows_per_page": 100, "partial": False, "rows": page}).encode()
