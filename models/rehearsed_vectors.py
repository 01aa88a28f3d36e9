"""What the rehearsal server answers for an embedding model: letters counted, no meaning understood."""

import math
from collections import Counter
from hashlib import blake2b
from re import findall

from planloom.core.json import Json, JsonObject

_DIMENSIONS = 512
_LETTERS = 3


def rehearsed_vector(text: str) -> list[float]:
    """Return a text's runs of three letters as a unit vector, by hash: the same text always gives the same one.

    Texts that share parts of words are near one another, as `lampshade` and `shade of lamps` are; nothing else is.
    """
    counts: Counter[int] = Counter()
    for word in findall(r"\w+", text.casefold()):
        for start in range(max(1, len(word) - _LETTERS + 1)):
            part = word[start : start + _LETTERS].encode()
            counts[int.from_bytes(blake2b(part, digest_size=4).digest()) % _DIMENSIONS] += 1
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    return [counts[place] / length for place in range(_DIMENSIONS)]


def embeddings_body(texts: list[str], model: str) -> JsonObject:
    """Return the body of an answer of `/v1/embeddings`, with a token for each four characters."""
    data: list[Json] = [
        {"object": "embedding", "index": index, "embedding": [*rehearsed_vector(text)]}
        for index, text in enumerate(texts)
    ]
    tokens = sum(-(-len(text) // 4) for text in texts)
    usage: JsonObject = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}
