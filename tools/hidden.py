"""Text from others without what people do not see: terminal codes, zero-width and tag characters."""

import re
import unicodedata

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])|\x9b[0-?]*[ -/]*[@-~]")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u115f\u1160\u3164\uffa0\u034f\u2800]")
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def visible(text: str, *, max_chars: int | None = None) -> str:
    """Return `text` without characters that are not seen; new lines and tabs stay.

    Args:
        text: What somebody else wrote.
        max_chars: Where it is cut; `None` never.
    """
    bare = _SELECTORS.sub("", _TERMINAL.sub("", text))
    seen = "".join(char for char in bare if char in "\n\t" or unicodedata.category(char) not in _HIDDEN)
    if max_chars is not None and len(seen) > max_chars:
        return seen[:max_chars].rstrip() + " (cut)"
    return seen
