"""Short ways to say campaigns; the numbers are shares in percent."""

from __future__ import annotations

from afterword.model import Campaign, Channel, ConversionEvent, ConversionKind, Counting, Step, Variant

DAY = 86_400
PURCHASE = ConversionEvent(ConversionKind.PURCHASE, 3 * DAY)
SESSION = ConversionEvent(ConversionKind.SESSION, DAY)


def variants(**shares: float) -> tuple[Variant, ...]:
    return tuple(Variant(name, round(share * 100), name, name == "control") for name, share in shares.items())


def campaign(
    id_: str = "cart-rescue",
    *events: ConversionEvent,
    name: str = "",
    shares: dict[str, float] | None = None,
    counting: Counting = Counting.ONCE_PER_USER,
    channels: tuple[Channel, ...] = (Channel.EMAIL, Channel.PUSH),
    tags: tuple[str, ...] = (),
) -> Campaign:
    return Campaign(
        id_,
        "campaign",
        name or id_,
        variants(**(shares or {"a": 90, "control": 10})),
        events or (PURCHASE,),
        counting,
        channels,
        tags,
    )


def canvas(id_: str = "welcome", *steps: str, shares: dict[str, float] | None = None) -> Campaign:
    named = tuple(Step(step, step) for step in steps or ("hello", "tips"))
    return Campaign(id_, "canvas", id_, variants(**(shares or {"a": 100})), (SESSION,), steps=named)
