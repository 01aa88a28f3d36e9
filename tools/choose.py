"""Which box a piece of code needs, told from its imports, syntax and names before it runs."""

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What pydantic-monty 1.4 was found to know, by trying every name of these modules and types one by one.
_MODULES: Mapping[str, frozenset[str]] = {
    "base64": _names(
        "a85decode a85encode b16decode b16encode b32decode b32encode b32hexdecode b32hexencode "
        "b64decode b64encode b85decode b85encode decodebytes encodebytes standard_b64decode "
        "standard_b64encode urlsafe_b64decode urlsafe_b64encode"
    ),
    "binascii": _names(
        "Error Incomplete a2b_base64 a2b_hex a2b_qp a2b_uu b2a_base64 b2a_hex b2a_qp b2a_uu crc32 "
        "crc_hqx hexlify unhexlify"
    ),
    "bisect": _names("bisect bisect_left bisect_right insort insort_left insort_right"),
    "collections": _names("Counter defaultdict deque namedtuple"),
    "copy": _names("copy deepcopy"),
    "csv": _names("DictReader DictWriter Error QUOTE_ALL QUOTE_MINIMAL QUOTE_NONE QUOTE_NONNUMERIC reader writer"),
    "dataclasses": _names("FrozenInstanceError dataclass field is_dataclass"),
    "datetime": _names("date datetime time timedelta timezone"),
    "decimal": _names(
        "BasicContext Clamped Context ConversionSyntax Decimal DecimalException DecimalTuple "
        "DefaultContext DivisionByZero DivisionImpossible DivisionUndefined ExtendedContext "
        "FloatOperation Inexact InvalidContext InvalidOperation Overflow ROUND_05UP ROUND_CEILING "
        "ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP ROUND_UP Rounded "
        "Subnormal Underflow getcontext localcontext setcontext"
    ),
    "functools": _names("cache lru_cache partial reduce"),
    "hashlib": _names(
        "algorithms_available algorithms_guaranteed blake2b blake2s md5 pbkdf2_hmac sha1 sha224 "
        "sha256 sha384 sha3_224 sha3_256 sha3_384 sha3_512 sha512 shake_128 shake_256"
    ),
    "itertools": _names(
        "accumulate chain combinations combinations_with_replacement compress count cycle dropwhile "
        "filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee "
        "zip_longest"
    ),
    "json": _names("JSONDecodeError dumps loads"),
    "math": _names(
        "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf "
        "erfc exp exp2 expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose "
        "isfinite isinf isnan isqrt lcm ldexp lgamma log log10 log1p log2 modf nan nextafter perm pi "
        "pow prod radians remainder sin sinh sqrt tan tanh tau trunc ulp"
    ),
    "random": _names(
        "Random choice choices expovariate gauss getrandbits normalvariate randbytes randint random "
        "randrange sample seed shuffle triangular uniform"
    ),
    "re": _names(
        "A ASCII DOTALL I IGNORECASE M MULTILINE Match NOFLAG Pattern S compile error escape findall "
        "finditer fullmatch match search split sub"
    ),
    "time": _names(
        "altzone asctime ctime daylight gmtime localtime mktime monotonic monotonic_ns perf_counter "
        "perf_counter_ns process_time process_time_ns sleep strftime strptime thread_time "
        "thread_time_ns time time_ns timezone tzname"
    ),
    "tomllib": _names("TOMLDecodeError loads"),
    "typing": _names(
        "Annotated Any Callable ClassVar Dict Final FrozenSet Generator Iterable Iterator List "
        "Literal Mapping Never NoReturn Optional Self Sequence Set TYPE_CHECKING Tuple Type Union"
    ),
    "unicodedata": _names("category combining is_normalized lookup name normalize unidata_version"),
}
_BUILTINS = _names(
    "ArithmeticError AssertionError AttributeError BaseException Ellipsis Exception FileExistsError "
    "FileNotFoundError ImportError IndexError IsADirectoryError KeyError LookupError MemoryError "
    "ModuleNotFoundError NameError NotADirectoryError NotImplemented NotImplementedError OSError "
    "OverflowError PermissionError RecursionError RuntimeError StopIteration SyntaxError TimeoutError "
    "TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError ValueError ZeroDivisionError "
    "abs all any bin bool bytes chr complex dict divmod enumerate filter float format frozenset "
    "hasattr hash hex int isinstance iter len list map max min next oct ord pow print range repr "
    "reversed round set setattr slice sorted str sum tuple type zip "
)
_METHODS = _names(
    "add adjusted append appendleft as_tuple astimezone betavariate capitalize casefold center choice "
    "choices clear compare copy copy_abs copy_negate copy_sign count date day days decode difference "
    "discard dst elements encode end endswith exp expovariate extend extendleft find findall finditer "
    "flags format fullmatch gammavariate gauss get getrandbits group groupdict hour index insert "
    "intersection is_canonical is_finite is_infinite is_nan is_normal is_zero isalnum isalpha isascii "
    "isdecimal isdigit isdisjoint isidentifier islower isnumeric isoformat isoweekday isprintable "
    "isspace issubset issuperset istitle isupper items join keys ljust ln log10 logb lognormvariate "
    "lower lstrip match max_mag maxlen microsecond microseconds min_mag minute month most_common "
    "normalize normalvariate number_class paretovariate partition pattern pop popitem popleft "
    "quantize radix randbytes randint random randrange remainder_near remove removeprefix "
    "removesuffix replace reverse rfind rindex rjust rotate rpartition rsplit rstrip same_quantum "
    "sample scaleb search second seconds seed setdefault shift shuffle sort span split splitlines "
    "sqrt start startswith strftime string strip sub subtract swapcase symmetric_difference time "
    "timestamp timetz title to_eng_string to_integral to_integral_exact to_integral_value total "
    "total_seconds triangular tzinfo tzname uniform union update upper utcoffset values "
    "vonmisesvariate weekday weibullvariate year zfill "
)

_NO_SYNTAX: tuple[type[ast.AST], ...] = (ast.Yield, ast.YieldFrom, ast.Delete, ast.TryStar)
_ASYNC: tuple[type[ast.AST], ...] = (ast.AsyncWith, ast.AsyncFor, ast.AsyncFunctionDef, ast.Await)
_PRELOAD = frozenset(("numpy", "pandas", "sympy", "pint", "scipy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the text of the code tells without running it."""

    box: Literal["monty", "cpython"]
    """The smallest box that knows everything the code uses."""
    preload: tuple[str, ...]
    """Large installed libraries it imports."""
    sets_result: bool
    """Whether it assigns the variable `result` at its top level."""


def read_code(code: str, variables: Iterable[str]) -> Reading:
    """Read `code`.

    Args:
        code: Python source.
        variables: Names the code will find defined.

    Raises:
        SyntaxError: It is not Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a pattern
            tree = ast.parse(code, "<code>")
        nodes = list(ast.walk(tree))
    except (ValueError, RecursionError, MemoryError) as exc:
        raise SyntaxError(str(exc) or "nested too deeply") from exc
    imported = set(_imported(nodes))
    fits = not imported - _MODULES.keys() and all(_fits(node) for node in nodes)
    known = fits and not _unknown(nodes, set(variables))
    return Reading(
        box="monty" if known else "cpython",
        preload=tuple(sorted(imported & _PRELOAD)),
        sets_result=any("result" in _assigned(statement) for statement in tree.body),
    )


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def _fits(node: ast.AST) -> bool:
    """Whether one piece of syntax is within Monty's."""
    if isinstance(node, (*_NO_SYNTAX, *_ASYNC)) or type(node).__name__ == "TypeAlias":
        return False
    if isinstance(node, ast.ClassDef):
        methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
        return not node.bases and not node.keywords and not any(item.decorator_list for item in methods)
    if isinstance(node, ast.Import):
        return all("." not in alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        known = _MODULES.get(node.module or "", frozenset())
        return not node.level and all(alias.name in known for alias in node.names)
    return True


def _unknown(nodes: list[ast.AST], variables: set[str]) -> bool:
    """Whether some name or attribute is neither the code's own nor known to Monty."""
    modules = {
        alias.asname or alias.name: _MODULES[alias.name]
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    own = variables | set(modules) | {name for node in nodes for name in _bound(node)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id not in own and node.id not in _BUILTINS:
            return True
        if isinstance(node, ast.Attribute) and not _attribute_known(node, modules, own):
            return True
    return False


def _attribute_known(node: ast.Attribute, modules: Mapping[str, frozenset[str]], own: set[str]) -> bool:
    if isinstance(node.value, ast.Name) and node.value.id in modules:
        return node.attr in modules[node.value.id]
    return node.attr in own or node.attr in _METHODS


def _bound(node: ast.AST) -> Iterator[str]:
    """Names and attributes that one node defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name for alias in names)
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.Call(func=ast.Name(id="namedtuple"), args=[_, fields]):
            yield from _fields(fields)
        case _:
            pass


def _fields(fields: ast.expr) -> Iterator[str]:
    """Field names in the second argument of `namedtuple`."""
    for node in ast.walk(fields):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.replace(",", " ").split()


def _assigned(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement assigns, not looking into functions and classes."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    inner = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]
    names = {name for child in inner for name in _assigned(child)}
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            names |= {
                node.id for node in ast.walk(child) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
    return names
