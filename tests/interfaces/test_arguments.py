from __future__ import annotations

import pytest

from afterword.errors import UserError
from afterword.interfaces.arguments import hoist_common, renames, spread


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        pytest.param("run c.yaml --events a", "run c.yaml --events a", id="one-value"),
        pytest.param("run c.yaml --events a b", "run c.yaml --events a --events b", id="two-values"),
        pytest.param(
            "run c.yaml --exposures x y --events a b --json",
            "run c.yaml --exposures x --exposures y --events a --events b --json",
            id="two-options",
        ),
        pytest.param("run c.yaml --events a --events b", "run c.yaml --events a --events b", id="repeated"),
        pytest.param("run c.yaml --events=a b", "run c.yaml --events=a --events b", id="equals-sign"),
        pytest.param(
            "run --events a b -- c.yaml", "run --events a --events b -- c.yaml", id="double-dash-ends-the-values"
        ),
        pytest.param("run c.yaml --out d --events a", "run c.yaml --out d --events a", id="others-stay"),
        pytest.param("run --out d c.yaml", "run --out d c.yaml", id="argument-after-a-single-value"),
        pytest.param("run --strict c.yaml", "run --strict c.yaml", id="argument-after-a-flag"),
        pytest.param("run c.yaml --map a=b c=d", "run c.yaml --map a=b --map c=d", id="map"),
        pytest.param("run c.yaml --events - a", "run c.yaml --events - --events a", id="a-dash-is-a-value"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_several_values_after_one_option(written: str, understood: str) -> None:
    assert spread(written.split()) == understood.split()


@pytest.mark.parametrize("words", [["--debug", "run", "c"], ["run", "--debug", "c"], ["run", "c", "--debug"]])
def test_debug_may_stand_anywhere(words: list[str]) -> None:
    assert hoist_common(words) == ["--debug", "run", "c"]


def test_renames_keep_equals_signs_of_their_names() -> None:
    assert renames(["customer=user_id", "a=b=kind"]) == {"customer": "user_id", "a=b": "kind"}


@pytest.mark.parametrize("pair", ["customer", "customer=", "=user_id", ""])
def test_half_a_rename_is_refused(pair: str) -> None:
    with pytest.raises(UserError, match="must be theirs=ours"):
        renames([pair])


def test_one_column_cannot_have_two_names() -> None:
    with pytest.raises(UserError, match='names "x" twice, as "kind" and as "name"'):
        renames(["x=kind", "x=name"])
