"""The child side of the CPython box: take one request from stdin, confine, run, answer on the result pipe.

Started as a script by `box_cpython`, with `python -I -S`. It may import nothing but the standard library
until the box hands it the paths of the installed libraries.
"""

import ast
import importlib
import importlib.util
import json
import linecache
import os
import sys
import types
from pathlib import Path

_NAME = "<code>"
READY = b"R"
CANNOT = b"X"
ASK = b">"
_NO_MEMORY = b'{"error": "MemoryError: ", "line": 0}'
_ADVICE = {
    "DataFrame": "return .to_dict('records')",
    "Series": "return .tolist()",
    "set": "return sorted(...)",
}


def _sibling(name: str) -> types.ModuleType:
    """Load a module of this folder by its path: the folder must not be on `sys.path`, where it would hide `http`."""
    full = f"planloom.tools.{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        if spec is None or spec.loader is None:
            raise ImportError(f"{name}.py is not beside guest.py")
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


class _Channel:
    """Lines to and from our own process."""

    def __init__(self, results: int) -> None:
        self._results = results
        self._asked = os.fdopen(os.dup(0), "rb")
        nothing, end = os.pipe()
        os.close(end)
        os.dup2(nothing, 0)
        os.close(nothing)

    def read(self) -> bytes:
        """Return the next line; empty when there will be none."""
        return self._asked.readline()

    def write(self, text: bytes) -> None:
        """Write a line."""
        sys.stdout.flush()
        text += b"\n"
        while text:
            text = text[os.write(self._results, text) :]

    def ask(self, text: bytes) -> bytes:
        """Write a line that wants an answer, and return that."""
        self.write(ASK + text)
        return self.read()


def _preload(names: list[str]) -> None:
    """Import installed libraries before the confinement, so that their bytecode can be cached."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


def _plain(value: object) -> object:
    """Turn a NumPy value into the plain one; refuse anything else that JSON cannot say."""
    to_list = getattr(value, "tolist", None)
    if callable(to_list) and type(value).__module__.partition(".")[0] == "numpy":
        return to_list()
    isoformat = getattr(value, "isoformat", None)
    if callable(isoformat) and type(value).__module__ == "datetime":
        return isoformat()
    kind = type(value)
    advice = _ADVICE.get(kind.__name__, "convert it with int(), float(), str() or list()")
    raise TypeError(f"the value holds a {kind.__qualname__}, which JSON cannot say; {advice}")


def _run(code: str, space: dict[str, object]) -> object:
    """Run `code` as `__main__` and return the value of its last expression."""
    tree = ast.parse(code, _NAME)
    linecache.cache[_NAME] = (len(code), None, code.splitlines(keepends=True), _NAME)
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    main.__dict__.update(space)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, _NAME, "exec"), main.__dict__)
    if isinstance(last, ast.Expr):
        value: object = eval(compile(ast.Expression(last.value), _NAME, "eval"), main.__dict__)
        return value
    return None


def _line(error: BaseException) -> int:
    """Line of the code where `error` came from; 0 when it came from nowhere in it."""
    if isinstance(error, SyntaxError) and error.filename == _NAME:
        return error.lineno or 0
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _answer(code: str, space: dict[str, object]) -> bytes:
    try:
        text = json.dumps({"value": _run(code, space)}, default=_plain, allow_nan=False)
    except BaseException as error:  # the edge to untrusted code: whatever it raises is its result
        text = json.dumps(_fault(error))
    return text.encode()


def _fault(error: BaseException) -> dict[str, object]:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    said = f"{type(error).__name__}: {message}"[:4000]
    return {"error": said, "line": _line(error), "loaded_line": error.__dict__.get("loaded_line", 0)}


def _check(code: str, variables: dict[str, object], channel: _Channel) -> bytes:
    """Run a check whose tested code is in another process."""
    channel.read()  # the tested code has run
    try:
        names = _sibling("guest_check").Check(channel.ask).names(code, variables)
    except BaseException as error:  # what the tested code is made of is not known
        return json.dumps(_fault(error)).encode()
    return _answer(code, {**variables, **names})


def _serve(code: str, channel: _Channel) -> bytes:
    """Run tested code and do what the check asks of it; return what went wrong before there was a check."""
    try:
        _run(code, {})
    except BaseException as error:  # the edge to untrusted code
        return json.dumps(_fault(error)).encode()
    _sibling("guest_loaded").LoadedCode(sys.modules["__main__"].__dict__, channel.ask, _line).serve(b"")
    return b""


def _ready(confine: types.ModuleType, request: dict[str, object]) -> None:
    scratch = str(request["scratch"])
    os.chdir(scratch)
    os.environ.update(HOME=scratch, TMPDIR=scratch, MPLCONFIGDIR=scratch)
    confine.restrict_resources(**request["limits"])  # type: ignore[arg-type]
    confine.restrict_files(request["readable"], [scratch])
    confine.restrict_calls()


def main(results: int, parent: int, preload: list[str], paths: list[str]) -> None:
    """Serve one request and end.

    Args:
        results: Descriptor the answer is written to.
        parent: Process id of the box.
        preload: Libraries to import while waiting.
        paths: Folders of installed libraries.
    """
    confine = _sibling("confine")
    confine.die_with_parent(parent)
    sys.path.extend(paths)
    _preload(preload)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    channel = _Channel(results)
    request = json.loads(channel.read())
    mode = request["mode"]
    _preload([name for name in request["preload"] if name not in preload])
    for name in _SIBLINGS[mode]:
        _sibling(name)
    try:
        _ready(confine, request)
    except (OSError, ValueError) as error:
        channel.write(CANNOT + str(error).encode())
        return
    channel.write(READY)
    try:
        channel.write(_played(mode, request["code"], request["variables"], channel))
    except MemoryError:
        channel.write(_NO_MEMORY)
    os._exit(0)


def _played(mode: str, code: str, variables: dict[str, object], channel: _Channel) -> bytes:
    if mode == "serve":
        return _serve(code, channel)
    return _check(code, variables, channel) if mode == "check" else _answer(code, variables)


_SIBLINGS = {
    "run": (),
    "check": ("guest_codec", "guest_stand_in", "guest_check"),
    "serve": ("guest_codec", "guest_loaded"),
}

if __name__ == "__main__":
    saved = os.dup(2)
    os.dup2(1, 2)
    main(saved, int(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]))
