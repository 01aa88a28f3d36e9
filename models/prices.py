"""What tokens cost: from the workflow, else from the genai-prices snapshot, without a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from planloom.configs.spec import RungSpec
from planloom.core.outcome import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """USD per token for calls of at least `start` input tokens."""

    start: int
    input: float
    output: float
    cached: float


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs; the tiers ascend, and the first starts at 0.

    Crossing a tier reprices the whole call, as providers do. Where a price changes with the hour,
    the day's highest stands here.
    """

    tiers: tuple[Tier, ...]

    @classmethod
    def flat(cls, input: float, output: float, cached: float | None = None) -> "Price":
        """Return a price without tiers, from USD per token."""
        return cls((Tier(0, input, output, input if cached is None else cached),))

    def times(self, factor: float) -> "Price":
        """Return this price at a discount."""
        return Price(tuple(Tier(t.start, t.input * factor, t.output * factor, t.cached * factor) for t in self.tiers))

    @property
    def input(self) -> float:
        """USD per input token of a small call."""
        return self.tiers[0].input

    @property
    def output(self) -> float:
        """USD per output token of a small call."""
        return self.tiers[0].output

    @property
    def cached(self) -> float:
        """USD per cached input token of a small call."""
        return self.tiers[0].cached

    def cost(self, usage: Usage) -> float:
        """Return what one call of this usage costs, in USD. Cached tokens are part of the input."""
        tier = self._reached(usage.input_tokens)[-1]
        cached = min(usage.cached_tokens, usage.input_tokens)
        fresh = usage.input_tokens - cached
        return fresh * tier.input + cached * tier.cached + usage.output_tokens * tier.output

    def worst(self, input_tokens: int, output_tokens: int) -> float:
        """Return the most that a call of up to this size can cost, in USD."""
        reached = self._reached(input_tokens)
        return max(input_tokens * max(t.input, t.cached) + output_tokens * t.output for t in reached)

    def _reached(self, input_tokens: int) -> tuple[Tier, ...]:
        return tuple(tier for tier in self.tiers if tier.start <= input_tokens) or self.tiers[:1]


FREE = Price.flat(0.0, 0.0)


def price_of(spec: RungSpec, base_url: str | None = None) -> Price | None:
    """Return the rung's price: `price:` in the workflow, else the price table's, else `None`.

    A scripted `rehearsal:` model that the table does not know is free. `base_url` is where the rung
    really goes, when that is not the spec's own. A model asked in batches costs its part of that.
    """
    price = _listed(spec, base_url)
    return price.times(spec.batch.factor) if price and spec.batch else price


def _listed(spec: RungSpec, base_url: str | None) -> Price | None:
    if spec.price is not None:
        given = spec.price
        cached = given.input if given.cached is None else given.cached
        return Price.flat(given.input / _MILLION, given.output / _MILLION, cached / _MILLION)
    provider, _, model = spec.model.partition(":")
    found = _look_up(model or provider, base_url or spec.base_url)
    return FREE if found is None and provider == "rehearsal" else found


def _look_up(model: str, base_url: str | None) -> Price | None:
    # Half a second of CPU: imported by the first rung that needs it.
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    by_url = [(None, base_url)] if base_url else []
    for provider, url in (*by_url, ("openai", None), (None, None)):
        try:
            _, info = snapshot.find_provider_model(model, None, provider, url)
        except LookupError:
            continue
        return _from_table(info)
    return None


def _from_table(info: "ModelInfo") -> Price | None:
    day = list(_of_a_day(info))
    starts = sorted({0, *(start for price in day for key in _KEYS for start in _starts(price, key))})
    tiers = tuple(_tier(day, start) for start in starts)
    return Price(tiers) if any(_known(price) for price in day) else None


_KEYS = ("input_mtok", "cache_write_mtok", "output_mtok", "cache_read_mtok")


def _of_a_day(info: "ModelInfo") -> Iterator["ModelPrice"]:
    """Yield the prices of the next 24 hours, one an hour; one in all when they do not change."""
    now = datetime.now(UTC)
    for hour in range(24) if isinstance(info.prices, list) else (0,):
        yield info.get_prices(now + timedelta(hours=hour))


def _known(price: "ModelPrice") -> bool:
    return _at(price, "input_mtok", 0) is not None or _at(price, "output_mtok", 0) is not None


def _tier(day: "list[ModelPrice]", start: int) -> Tier:
    def top(*keys: str) -> float | None:
        found = [_at(price, key, start) for price in day for key in keys]
        return max((value for value in found if value is not None), default=None)

    # Writing to the provider's cache can cost more than reading input; usage does not tell them apart.
    fresh = top("input_mtok", "cache_write_mtok") or 0.0
    cached = top("cache_read_mtok")
    return Tier(start, fresh, top("output_mtok") or 0.0, fresh if cached is None else cached)


def _at(price: "ModelPrice", key: str, start: int) -> float | None:
    """USD per token under `key`, for a call of `start` input tokens."""
    value: object = getattr(price, key, None)
    if value is None:
        return None
    if isinstance(value, Decimal):
        return float(value) / _MILLION
    steps = [step for step in _steps(value) if step[0] <= start]
    return float(steps[-1][1]) / _MILLION if steps else None


def _starts(price: "ModelPrice", key: str) -> list[int]:
    return [start for start, _ in _steps(getattr(price, key, None))]


def _steps(value: object) -> list[tuple[int, Decimal]]:
    """Return the steps of a tiered price as (first token, USD per million)."""
    from genai_prices.types import TieredPrices

    if not isinstance(value, TieredPrices):
        return []
    return [(0, value.base), *((tier.start, tier.price) for tier in value.tiers)]
