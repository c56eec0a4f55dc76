"""A push campaign whose success is an upgrade, on devices of all sorts (rules 20-25).

Each person lives one of the stories below; only some of them are upgrades.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from afterword.demo.facts import DAY, HOUR, MINUTE, SECOND, Bools, Facts, Ints, Texts, at, names
from afterword.demo.truth import CampaignTruth, VariantTruth

CAMPAIGN = "update-app"
VARIANTS = ("short", "reasons", "control")
SHARES = (0.40, 0.40, 0.20)
SENT_AT = at("2008-04-07T09:00:00")
WEEK = 7 * DAY
OPENS_WITHIN = 2 * DAY

_PEOPLE = 4_000
# Story: version before the message, version after it, whether that is an upgrade within the week.
STORIES: dict[str, tuple[str, str, bool]] = {
    "next_number": ("1.9", "1.10", True),
    "beta": ("1.9", "2.0-beta", True),  # its order is not known, so every change counts (rule 23)
    "second_device": ("1.9", "1.10", True),  # the phone stays at 1.9
    "stated": ("1.9", "1.10", True),  # an upgrade event, no sessions around it
    "unchanged": ("1.9", "1.9", False),
    "same_number": ("1.9", "1.9.0", False),  # equal (rule 21)
    "downgrade": ("1.10", "1.9", False),
    "two_devices": ("1.9", "1.10", False),  # an old phone and a new tablet, used in turns (rule 20)
    "new_device": ("", "1.10", False),  # the first version ever seen is no change
    "no_version": ("1.9", "", False),  # a session without a version changes nothing (rule 25)
    "other_app": ("41", "42", False),  # the website is not among the apps asked for
    "too_early": ("1.10", "1.10", False),  # upgraded the day before
    "too_late": ("1.9", "1.10", False),  # upgraded after the week
}
_UPGRADING = [story for story, (_, _, upgrade) in STORIES.items() if upgrade]
_OTHERS = [story for story in STORIES if story not in _UPGRADING]
_UPGRADE_RATES = (0.30, 0.36, 0.22)
_FEATURE_RATES = (0.20, 0.24, 0.15)
_MOBILE = np.array(["android", "ios"])


def update_app(rng: np.random.Generator) -> tuple[pa.Table, pa.Table, CampaignTruth]:
    """Return exposures, events, and what is true about them."""
    people = names("a", range(1, _PEOPLE + 1), 4)
    variant = rng.choice(len(VARIANTS), _PEOPLE, p=SHARES).astype(np.int64)
    exposed_at = SENT_AT + rng.integers(0, HOUR // SECOND, _PEOPLE) * SECOND
    upgrades = rng.random(_PEOPLE) < np.array(_UPGRADE_RATES)[variant]
    story = np.where(upgrades, rng.choice(_UPGRADING, _PEOPLE), rng.choice(_OTHERS, _PEOPLE))
    events = Facts(
        "event_id user_id kind occurred_at name app_id app_version from_version device_id properties",
        prefix="u",
    )
    opened = _add_stories(events, rng, people, story, exposed_at)
    used = _add_features(events, rng, people, variant, exposed_at)
    exposures = Facts("exposure_id user_id campaign_id variant_id channel exposed_at")
    exposures.add(
        _PEOPLE,
        exposure_id=np.char.add("push-", people),
        user_id=people,
        campaign_id=CAMPAIGN,
        variant_id=np.array(VARIANTS)[variant],
        channel="push",
        exposed_at=exposed_at,
    )
    truth = {}
    for index, name in enumerate(VARIANTS):
        mine = variant == index
        converted = {"A": upgrades, "B": used, "C": opened}
        counts = {letter: int((mine & who).sum()) for letter, who in converted.items()}
        truth[name] = VariantTruth(int(mine.sum()), counts, dict.fromkeys(counts, 0))
    return exposures.table(), events.table(), CampaignTruth(truth)


def _add_stories(events: Facts, rng: np.random.Generator, people: Texts, story: Texts, exposed_at: Ints) -> Bools:
    """Add sessions and upgrades; return who opens one of the apps within two days."""
    app = rng.choice(_MOBILE, len(people))
    before_at = exposed_at - rng.integers(2 * DAY, 10 * DAY, len(people)) // SECOND * SECOND
    delay = 10 * MINUTE + rng.exponential(2.5 * DAY, len(people)) % (WEEK - HOUR)
    after_at = exposed_at + (delay // SECOND).astype(np.int64) * SECOND
    opened = np.zeros(len(people), dtype=np.bool_)
    for name, (old, new, _) in STORIES.items():
        who = np.flatnonzero(story == name)
        apps = np.full(len(who), "website") if name == "other_app" else app[who]
        before, after = before_at[who], after_at[who]
        if name == "stated":
            _add(events, people[who], "upgrade", after, apps, "phone", new, from_version=old)
            continue
        if name == "too_early":
            _add(events, people[who], "session", before, apps, "phone", "1.9")
            before = exposed_at[who] - DAY
        if name == "too_late":
            after = after + WEEK
        if name != "new_device":
            _add(events, people[who], "session", before, apps, "phone", old)
        if name == "two_devices":  # phone and tablet both before and after
            _add(events, people[who], "session", before + HOUR, apps, "tablet", new)
            _add(events, people[who], "session", after + 30 * SECOND, apps, "phone", old)
        if name == "second_device":
            _add(events, people[who], "session", before + HOUR, apps, "tablet", old)
            _add(events, people[who], "session", after - 30 * SECOND, apps, "phone", old)
        device = "tablet" if name in ("two_devices", "second_device") else "phone"
        _add(events, people[who], "session", after, apps, device, new)
        shown_at = after - 30 * SECOND if name == "second_device" else after
        opened[who] = (shown_at <= exposed_at[who] + OPENS_WITHIN) & (name != "other_app")
    return opened


def _add(
    events: Facts,
    user_ids: Texts,
    kind: str,
    times: Ints,
    apps: Texts,
    device: str,
    version: str,
    from_version: str = "",
) -> None:
    stated = {"app_version": version, "from_version": from_version}
    events.add(
        len(user_ids),
        event_id=events.new_ids(len(user_ids)),
        user_id=user_ids,
        kind=kind,
        occurred_at=times,
        app_id=apps,
        device_id=np.char.add(np.char.add(user_ids, "-"), device),
        **{column: text for column, text in stated.items() if text},
    )


def _add_features(events: Facts, rng: np.random.Generator, people: Texts, variant: Ints, exposed_at: Ints) -> Bools:
    """Add uses of features; return who used offline maps with a pack that was asked for, within the week."""
    used = rng.random(len(people)) < np.array(_FEATURE_RATES)[variant]
    times = exposed_at + (rng.random(len(people)) * (WEEK // SECOND)).astype(np.int64) * SECOND
    _add_feature(events, people[used], times[used], "offline", ("alps", "city"))
    # The right feature with other packs, another feature with the right pack, and the right one too late.
    for feature, packs, wait in (
        ("offline", ("alps", "desert"), 0),
        ("search", ("city",), 0),
        ("offline", ("coast",), WEEK + SECOND),
    ):
        chosen = rng.random(len(people)) < 0.1
        _add_feature(events, people[chosen], times[chosen] + wait, feature, packs)
    return used


def _add_feature(events: Facts, user_ids: Texts, times: Ints, feature: str, packs: tuple[str, ...]) -> None:
    properties = json.dumps({"feature": {"name": feature}, "packs": [{"id": pack} for pack in packs]})
    events.add(
        len(user_ids),
        event_id=events.new_ids(len(user_ids)),
        user_id=user_ids,
        kind="custom",
        name="feature_used",
        occurred_at=times,
        properties=properties,
    )
