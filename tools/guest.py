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
_NO_MEMORY = b'{"error": "MemoryError: ", "line": 0}'
_ADVICE = {
    "DataFrame": "return .to_dict('records')",
    "Series": "return .tolist()",
    "set": "return sorted(...)",
}


def _confine() -> types.ModuleType:
    """Load `confine.py` by its path: this folder must not be on `sys.path`, where it would hide `http`."""
    spec = importlib.util.spec_from_file_location("confine", Path(__file__).with_name("confine.py"))
    if spec is None or spec.loader is None:
        raise ImportError("confine.py is not beside guest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def _run(code: str, variables: dict[str, object]) -> object:
    """Run `code` as `__main__` and return the value of its last expression."""
    tree = ast.parse(code, _NAME)
    linecache.cache[_NAME] = (len(code), None, code.splitlines(keepends=True), _NAME)
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    space = main.__dict__
    space.update(variables)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, _NAME, "exec"), space)
    if isinstance(last, ast.Expr):
        value: object = eval(compile(ast.Expression(last.value), _NAME, "eval"), space)
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


def _answer(code: str, variables: dict[str, object]) -> bytes:
    try:
        text = json.dumps({"value": _run(code, variables)}, default=_plain, allow_nan=False)
    except BaseException as error:  # the edge to untrusted code: whatever it raises is its result
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        text = json.dumps({"error": f"{type(error).__name__}: {message}"[:4000], "line": _line(error)})
    return text.encode()


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
    confine = _confine()
    confine.die_with_parent(parent)
    sys.path.extend(paths)
    _preload(preload)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    request = json.loads(sys.stdin.buffer.read())
    _preload([name for name in request["preload"] if name not in preload])
    try:
        _ready(confine, request)
    except (OSError, ValueError) as error:
        os.write(results, CANNOT + str(error).encode())
        return
    os.write(results, READY)
    try:
        answer = _answer(request["code"], request["variables"])
        sys.stdout.flush()
    except MemoryError:
        answer = _NO_MEMORY
    while answer:
        answer = answer[os.write(results, answer) :]
    os._exit(0)


if __name__ == "__main__":
    saved = os.dup(2)
    os.dup2(1, 2)
    main(saved, int(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]))
