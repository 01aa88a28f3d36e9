"""Texts as vectors, through the client of OpenAI's API that ChatOpenAI holds."""

from collections.abc import Mapping

import openai

from planloom.core.outcome import Usage
from planloom.models.base import Reply, Request


async def embed(client: openai.AsyncOpenAI, model: str, request: Request, headers: Mapping[str, str]) -> Reply:
    """Return a reply with one vector for each message of a request, in their order.

    Raises:
        ValueError: The answer has not one vector for each text.
        openai.OpenAIError: There is no answer.
    """
    texts = [message.text for message in request.messages]
    # Without an encoding named, the SDK asks for Base64, which not every server knows.
    answer = await client.embeddings.create(
        model=model, input=texts, encoding_format="float", extra_headers={**headers}
    )
    found = {item.index: tuple(item.embedding) for item in answer.data}
    if sorted(found) != [*range(len(texts))]:
        raise ValueError(f"expected a vector for each of {len(texts)} texts, found {len(answer.data)}")
    usage = Usage(input_tokens=answer.usage.prompt_tokens, calls=1)
    vectors = tuple(found[index] for index in range(len(texts)))
    return Reply(text="", finish="stop", usage=usage, model=answer.model or model, vectors=vectors)
