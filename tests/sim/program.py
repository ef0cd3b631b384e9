"""The program as a library (sim.h), by ctypes."""

import ctypes
import json

from fakes.message import Request

RUN, APPLY, PLAN, TEARDOWN = range(4)
NEVER = 2**64 - 1
ERROR_SIZE = 512


class CRequest(ctypes.Structure):
    _fields_ = [
        ("id", ctypes.c_uint64),
        ("endpoint", ctypes.c_char_p),
        ("method", ctypes.c_char_p),
        ("path", ctypes.c_char_p),
        ("accept", ctypes.c_char_p),
        ("content_type", ctypes.c_char_p),
        ("body", ctypes.c_void_p),
        ("body_length", ctypes.c_size_t),
        ("timeout_ms", ctypes.c_uint64),
        ("is_stream", ctypes.c_bool),
    ]


class Counts(ctypes.Structure):
    _fields_ = [("clients", ctypes.c_size_t), ("calls", ctypes.c_size_t)]


SIGNATURES = {  # result, arguments
    "sim_new": ("p", "sIQqpz"),
    "sim_free": ("", "p"),
    "sim_advance": ("", "pQq"),
    "sim_next_due": ("Q", "p"),
    "sim_reload": ("b", "pspz"),
    "sim_trigger": ("", "p"),
    "sim_is_done": ("b", "p"),
    "sim_status_json": ("p", "p"),
    "sim_text_free": ("", "p"),
    "sim_next": ("b", "pp"),
    "sim_answer": ("b", "pQissz"),
    "sim_chunk": ("b", "pQsz"),
    "sim_end": ("b", "pQi"),
    "sim_count": ("", "pp"),
}
TYPES = {
    "": None,
    "b": ctypes.c_bool,
    "i": ctypes.c_int,
    "I": ctypes.c_uint,
    "q": ctypes.c_int64,
    "Q": ctypes.c_uint64,
    "z": ctypes.c_size_t,
    "s": ctypes.c_char_p,
    "p": ctypes.c_void_p,
}


def load(path):
    library = ctypes.CDLL(path)
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype = TYPES[result]
        function.argtypes = [TYPES[argument] for argument in arguments]
    return library


class Call:
    """A request of the program that has no answer yet."""

    def __init__(self, request):
        self.id = request.id
        self.endpoint = request.endpoint.decode()
        self.timeout_ms = request.timeout_ms
        self.is_stream = request.is_stream
        headers = {"accept": request.accept, "content-type": request.content_type}
        headers = {name: value.decode() for name, value in headers.items() if value is not None}
        body = ctypes.string_at(request.body, request.body_length)
        self.request = Request(request.method.decode(), request.path.decode(), headers, body)


class Program:
    def __init__(self, library, mode, yaml, now_ms, now_s):
        self.library = library
        self.request = CRequest()
        self.error = ctypes.create_string_buffer(ERROR_SIZE)
        self.sim = library.sim_new(yaml.encode(), mode, now_ms, now_s, self.error, ERROR_SIZE)
        if not self.sim:
            raise ValueError(self.error.value.decode())

    def close(self):
        self.library.sim_free(self.sim)

    def step(self, now_ms, now_s):
        self.library.sim_advance(self.sim, now_ms, now_s)

    def next_due(self):
        return self.library.sim_next_due(self.sim)

    def calls(self):
        """What was sent since."""
        while self.library.sim_next(self.sim, ctypes.byref(self.request)):
            yield Call(self.request)

    def answer(self, call, response, body):
        headers = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items()).encode()
        return self.library.sim_answer(self.sim, call.id, response.status, headers, body, len(body))

    def chunk(self, call, data):
        return self.library.sim_chunk(self.sim, call.id, data, len(data))

    def end(self, call, code=0):
        return self.library.sim_end(self.sim, call.id, code)

    def reload(self, yaml):
        if not self.library.sim_reload(self.sim, yaml.encode(), self.error, ERROR_SIZE):
            raise ValueError(self.error.value.decode())

    def is_done(self):
        return self.library.sim_is_done(self.sim)

    def trigger(self):
        self.library.sim_trigger(self.sim)

    def status(self):
        text = self.library.sim_status_json(self.sim)
        try:
            return json.loads(ctypes.string_at(text))
        finally:
            self.library.sim_text_free(text)

    def counts(self):
        counts = Counts()
        self.library.sim_count(self.sim, ctypes.byref(counts))
        return counts
