import pytest

from planloom.configs.spec import RungSpec
from planloom.core.outcome import Usage
from planloom.models.prices import Price, Tier, price_of


def spec(model: str, **more: object) -> RungSpec:
    return RungSpec.model_validate({"model": model, **more})


def test_the_workflows_price_goes_first() -> None:
    price = price_of(spec("openai:gpt-5-mini", price={"input": 3, "output": 6}))
    assert price == Price.flat(3e-6, 6e-6, 3e-6)


def test_a_known_model_has_a_price_at_any_server() -> None:
    known = price_of(spec("openai:gpt-5-mini"))
    assert known is not None
    assert known.output > known.input > known.cached > 0
    assert price_of(spec("openai:gpt-5-mini", base_url="http://localhost:8000/v1")) == known


def test_an_unknown_model_has_none_and_a_scripted_one_is_free() -> None:
    assert price_of(spec("openai:no-such-model-anywhere")) is None
    free = price_of(spec("rehearsal:no-such-model-anywhere"))
    assert free is not None
    assert free.worst(1000, 1000) == 0


def test_a_tier_reprices_the_whole_call() -> None:
    price = Price((Tier(0, 1.0, 2.0, 0.5), Tier(100, 3.0, 4.0, 1.0)))
    assert price.cost(Usage(input_tokens=99, output_tokens=1)) == 99 + 2
    assert price.cost(Usage(input_tokens=100, output_tokens=1, cached_tokens=50)) == 150 + 50 + 4
    assert price.worst(99, 10) == 99 + 20
    assert price.worst(100, 10) == 300 + 40


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "claude-sonnet-4-5", "deepseek-chat", "gpt-5"])
@pytest.mark.parametrize("tokens", [10, 150_000, 250_000])
def test_the_worst_case_is_never_below_the_cost(model: str, tokens: int) -> None:
    price = price_of(spec(f"openai:{model}"))
    assert price is not None
    for used in (1, tokens // 2, tokens):
        for cached in (0, used):
            usage = Usage(input_tokens=used, output_tokens=500, cached_tokens=cached)
            assert price.cost(usage) <= price.worst(tokens, 500)
