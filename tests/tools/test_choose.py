import pytest

from planloom.tools.choose import read_code

MONTY = {
    "arithmetic": "1 + 2 ** 3",
    "comprehension over a variable": "sum(row['n'] for row in rows)",
    "json and re": "import json, re\nre.findall(r'\\d+', json.dumps([1]))",
    "names from a module": "from collections import Counter\nCounter('aab').most_common(1)",
    "a class of its own": "class A:\n    def __init__(self, x):\n        self.x = x\nA(3).x",
    "named tuple": "from collections import namedtuple\nP = namedtuple('P', 'x y')\nP(1, 2).x",
    "match": "match rows:\n    case [a, *rest]:\n        r = a\n    case _:\n        r = 0\nr",
    "handled error": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    r = str(e)\nr",
}
CPYTHON = {
    "numpy": "import numpy as np\nnp.arange(3)",
    "module unknown to monty": "import statistics\nstatistics.mean([1, 2])",
    "name unknown to monty": "from collections import OrderedDict\nOrderedDict()",
    "attribute of a known module": "import re\nre.subn('a', 'b', 'a')",
    "method unknown to monty": "'ab'.translate({})",
    "generator": "def g():\n    yield 1\nlist(g())",
    "del": "x = [1]\ndel x[0]\nx",
    "inheritance": "class E(Exception):\n    pass\n1",
    "static method": "class A:\n    @staticmethod\n    def f():\n        return 1\nA.f()",
    "built-in unknown to monty": "callable(1)",
    "files": "open('x').read()",
    "system": "import os\nos.getcwd()",
    "submodule": "import os.path\n1",
    "async": "async def f():\n    return 1\nawait f()",
    "unknown name": "nowhere + 1",
}


@pytest.mark.parametrize("code", MONTY.values(), ids=MONTY.keys())
def test_monty_is_chosen_for_what_it_knows(code: str) -> None:
    assert read_code(code, ["rows"]).box == "monty"


@pytest.mark.parametrize("code", CPYTHON.values(), ids=CPYTHON.keys())
def test_cpython_is_chosen_for_everything_else(code: str) -> None:
    assert read_code(code, ["rows"]).box == "cpython"


def test_large_libraries_are_named_for_preloading() -> None:
    assert read_code("import pandas as pd\nfrom numpy import array\nimport json", []).preload == ("numpy", "pandas")


@pytest.mark.parametrize(
    ("code", "sets"),
    [
        ("result = 1", True),
        ("if True:\n    result = 1", True),
        ("for result in []:\n    pass", True),
        ("(result := 3)", True),
        ("a, result = 1, 2", True),
        ("result", False),
        ("def f():\n    result = 1", False),
        ("x.result = 1", False),
    ],
)
def test_only_an_assignment_at_the_top_level_sets_the_result(code: str, sets: bool) -> None:
    assert read_code(code, []).sets_result is sets


@pytest.mark.parametrize("code", ["def f(:", "a b", "x = '" + chr(0), "(" * 5000 + ")" * 5000])
def test_what_is_not_python_is_a_syntax_error(code: str) -> None:
    with pytest.raises(SyntaxError):
        read_code(code, [])
