"""The tables below the variants: what else and how soon, steps, outcomes, and other tools' confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from afterword.interfaces.web import written
from afterword.interfaces.web.details.grids import Cell, Grid, Heading, Line, Numbers, named, scopes, variant_line
from afterword.reports import wording
from afterword.workspace.listing import ALSO, EXPOSURES_OF_ALL, OUTCOME, RECEIVED

Cells = Callable[[str, Mapping[str, Any]], list[Cell]]


def times_grid(told: Mapping[str, Any], letter: str, colours: Sequence[str], numbers: Numbers) -> Grid:
    """Return how long conversions took."""

    def cells(row: Mapping[str, Any]) -> list[Cell]:
        on = row["conversions"][letter]
        if numbers.is_hidden(on["converted"]):
            return [Cell(wording.NOTHING)] * 3
        time = on["time_to_convert"]
        return [
            Cell(wording.duration(time["p25"])),
            Cell(wording.duration(time["median"]), tone="strong"),
            Cell(wording.duration(time["p75"])),
        ]

    headings = [Heading("Variant"), Heading("A quarter"), Heading("Half"), Heading("Three quarters")]
    return Grid(f"Time to convert on {letter}", headings, _of_variants(told, colours, lambda _, row: cells(row)))


def also_grid(told: Mapping[str, Any], letter: str, colours: Sequence[str], numbers: Numbers) -> Grid | None:
    """Return how many of those who converted on one event did so on the others; None where there are no others."""
    others = [event for event in told["conversion_events"] if event["letter"] != letter]
    if not others:
        return None

    def cells(scope: str, row: Mapping[str, Any]) -> list[Cell]:
        converted = row["conversions"][letter]["converted"]
        counts = row["also_converted"][letter]
        return [
            numbers.people(converted, scope, letter, "converted"),
            *(
                numbers.people(
                    counts[other["letter"]],
                    scope,
                    letter,
                    ALSO + other["letter"].lower(),
                    numbers.part(counts[other["letter"]], converted),
                )
                for other in others
            ),
        ]

    headings = [
        Heading("Variant"),
        Heading(f"Converted on {letter}"),
        *(Heading(f"Also on {other['letter']}, {named(wording.event_title(other))[0]}") for other in others),
    ]
    return Grid(f"Who converted on {letter} and on other events", headings, _of_variants(told, colours, cells))


def steps_grid(told: Mapping[str, Any], letter: str | None, numbers: Numbers) -> Grid | None:
    """Return the steps of a Canvas with their credit, and the sum that explains the rest (rule 18)."""
    if not told["steps"]:
        return None
    currency = told["currency"]
    letters = [event["letter"] for event in told["conversion_events"]]
    headings = [
        Heading("Step"),
        Heading("Messages"),
        Heading("Recipients", "Who received the step's message."),
        *(Heading(f"Conversions {one}") for one in letters),
        Heading("Revenue"),
    ]
    lines = []
    for step in told["steps"]:
        name, whole = named(step["name"] or step["id"])
        lines.append(
            Line(
                name,
                [
                    Cell(numbers.text(step["received"])),
                    numbers.people(step["recipients"], "total", "", RECEIVED + step["id"]),
                    *(
                        numbers.people(
                            step["conversions"][one], "total", one, f"step:{step['id']}", tone=_strong(one, letter)
                        )
                        for one in letters
                    ),
                    Cell(_money(step["revenue"], currency, numbers)),
                ],
                whole=whole,
            )
        )
    return Grid(
        "Canvas steps",
        headings,
        lines,
        _rest(told, letters, numbers),
        "A conversion counts for the step whose message the user received last before it; for none, if none had been "
        "received. So the variants' total is the steps' sum and the conversions before any message. Variants with a "
        "message only.",
    )


def _rest(told: Mapping[str, Any], letters: Sequence[str], numbers: Numbers) -> list[Line]:
    total, revenue, currency = told["total"]["conversions"], told["total"]["revenue"], told["currency"]
    apart = Decimal(revenue["amount"]) - sum(Decimal(step["revenue"]["amount"]) for step in told["steps"])
    sums = {one: sum(step["conversions"][one] for step in told["steps"]) for one in letters}
    nothing = Cell("")
    return [
        Line(
            "Before any message",
            [
                nothing,
                nothing,
                *(numbers.people(total[one]["converted"] - sums[one], "total", one, "no_step") for one in letters),
                Cell(_money({**revenue, "amount": f"{apart:f}"}, currency, numbers)),
            ],
        ),
        Line(
            "Total",
            [
                nothing,
                nothing,
                *(numbers.people(total[one]["converted"], "total", one, "converted") for one in letters),
                Cell(_money(revenue, currency, numbers)),
            ],
        ),
    ]


def outcomes_grid(told: Mapping[str, Any], colours: Sequence[str], numbers: Numbers) -> Grid | None:
    """Return what became of the messages; None where nobody said."""
    names = list(told["total_with_control"]["outcomes"])
    if not names:
        return None
    headings = [
        Heading("Variant"),
        Heading("Exposures"),
        *(Heading(name.replace("_", " ").capitalize()) for name in names),
    ]
    lines = [
        variant_line(
            variant,
            [
                numbers.people(variant["exposures"], variant["id"], "", EXPOSURES_OF_ALL),
                *(
                    numbers.people(
                        variant["outcomes"].get(name, 0),
                        variant["id"],
                        "",
                        OUTCOME + name,
                        numbers.part(variant["outcomes"].get(name, 0), variant["exposures"]),
                    )
                    for name in names
                ),
            ],
            colour,
        )
        for variant, colour in zip(told["variants"], colours, strict=True)
    ]
    return Grid(
        "What became of the messages",
        headings,
        lines,
        note="As the sender stated it. Every exposure counts in the rates, whatever its outcome.",
    )


def plain_grid(told: Mapping[str, Any], letter: str, colours: Sequence[str], numbers: Numbers) -> Grid | None:
    """Return the confidence as other tools compute it; None where there is no control to compare with."""
    lines = []
    for variant, colour in zip(told["variants"], colours, strict=True):
        on = variant["conversions"][letter]
        if on["confidence"] is not None and not numbers.is_hidden(on["compared_converted"]):
            low_high = on["difference_interval"]
            cells = [
                Cell(written.confidence(on["confidence"]), tone="strong"),
                Cell(f"{written.signed(100 * on['difference'], 2)} points"),
                Cell(" to ".join(written.signed(100 * bound, 2) for bound in low_high) if low_high else "–"),
            ]
            lines.append(variant_line(variant, cells, colour))
    if not lines:
        return None
    headings = [Heading("Variant"), Heading("Confidence"), Heading("Difference from control"), Heading("95 % interval")]
    return Grid(
        f"Confidence on {letter}, as other tools compute it",
        headings,
        lines,
        note="A two-sided z-test of all recipients so far, as if this were the only look and the only comparison. It "
        "is higher than it should be when one looks often, and it takes open windows for users who did not convert.",
    )


def _of_variants(told: Mapping[str, Any], colours: Sequence[str], cells: Cells) -> list[Line]:
    lines = [
        variant_line(variant, cells(variant["id"], variant), colour)
        for variant, colour in zip(told["variants"], colours, strict=True)
    ]
    return [*lines, *(Line(name, cells(scope, row), note) for scope, name, note, row in scopes(told)[:1])]


def _strong(one: str, letter: str | None) -> str:
    return "strong" if one == letter else ""


def _money(revenue: Mapping[str, Any], currency: str, numbers: Numbers) -> str:
    return wording.NOTHING if numbers.is_hidden(revenue["purchases"]) else written.money(revenue["amount"], currency)
