from __future__ import annotations

import pytest

from afterword.stats.delays import Delays, without_trailing_zeros


def test_survival_is_kaplan_and_meiers() -> None:
    # 10 enter, 2 convert; 3 are lost; 5 enter the next hour and 1 converts: (1 - 2/10) (1 - 1/5).
    assert Delays((10, 5), (2, 1)).survival() == pytest.approx((0.8, 0.64))


def test_lists_may_differ_in_length() -> None:
    assert Delays((10, 5, 5), (2,)).survival() == pytest.approx((0.8, 0.8, 0.8))


@pytest.mark.parametrize(("at_risk", "converted"), [((1,), (2,)), ((), (1,)), ((3,), (-1,))])
def test_no_more_convert_than_are_at_risk(at_risk: tuple[int, ...], converted: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="hour 0"):
        Delays(at_risk, converted)


def test_only_zeros_at_the_end_are_cut() -> None:
    assert without_trailing_zeros([0, 3, 0, 1, 0, 0]) == [0, 3, 0, 1]
    assert without_trailing_zeros([0, 0]) == []
