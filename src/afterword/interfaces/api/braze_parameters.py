"""The parameters of Braze-compatible reads."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from afterword.interfaces.api.parameters import EPOCH, Choice, Flag, Instant, Parameters, Text, WholeNumber

MAX_LENGTH = 100
CANVAS_LENGTH = 14

PAGE = WholeNumber("page", "which page, counted from 0", 0, 1_000_000, 0)
ARCHIVED = Flag("include_archived", "archived ones too")
SORT = Choice("sort_direction", "oldest first, or newest", ("asc", "desc"))
EDITED_AFTER = Instant("last_edit.time[gt]", "only those edited later than this")
CAMPAIGN_ID = Text("campaign_id", "the id of a campaign", required=True, example="cart-rescue")
CANVAS_ID = Text("canvas_id", "the id of a Canvas", required=True, example="onboarding")
SEND_ID = Text("send_id", "the id of a send", required=True)
LENGTH = WholeNumber("length", "how many days (or hours) there are", 1, MAX_LENGTH)
CANVAS_DAYS = WholeNumber(
    "length", "how many days, unless `starting_at` says it", 1, CANVAS_LENGTH, unless="starting_at"
)
STARTING_AT = Instant("starting_at", "the first day")
ENDING_AT = Instant("ending_at", "the last day (or hour); now if nothing is said")
BY_VARIANT = Flag("include_variant_breakdown", "numbers of each variant too")
BY_STEP = Flag("include_step_breakdown", "numbers of each step too")
DELETED_STEPS = Flag("include_deleted_step_data", "read and ignored: no step can be removed")
EVENT = Text("event", "the name of a custom event", required=True, example="Signed Up")
PRODUCT = Text("product", "the id of a product; all of them if nothing is said")
UNIT = Choice("unit", "what a row stands for", ("day", "hour"))
APP_ID = Text("app_id", "only what happened in this app")
SEGMENT_ID = Text("segment_id", "refused: there are no segments")


def day_of(at: int, zone: ZoneInfo) -> date:
    """Return the day of the workspace that a time falls on."""
    return _on_the_wall(at, zone).date()


def hour_of(at: int, zone: ZoneInfo) -> datetime:
    """Return a time as the clocks of the workspace show it."""
    return _on_the_wall(at, zone).replace(tzinfo=None)


def _on_the_wall(at: int, zone: ZoneInfo) -> datetime:
    return (EPOCH + timedelta(microseconds=at)).astimezone(zone)


def last_day(parameters: Parameters, zone: ZoneInfo, now: int) -> date:
    """Return the day of `ending_at`, which belongs to the series; today if nothing is said."""
    at = ENDING_AT.read(parameters, zone)
    return day_of(now if at is None else at, zone)
