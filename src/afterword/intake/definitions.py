"""Definitions of campaigns from YAML, JSON and Python: everything that is wrong is said at once (rules 1-6, 31)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import available_timezones

from afterword.durations import parse_deadline
from afterword.errors import DefinitionError, UserError, nearest
from afterword.intake.definition_analysis import read_analysis
from afterword.intake.definition_fields import (
    Place,
    Problems,
    Record,
    show,
    written_duration,
    written_number,
)
from afterword.intake.definition_files import read_data
from afterword.intake.definition_filters import FILTER_KEYS, read_filter
from afterword.intake.definition_forms import (
    canonical_event,
    canonical_form,
    definition_version,
    definitions_to_data,
)
from afterword.intake.definition_selection import read_selection
from afterword.model import (
    MAX_CONVERSION_EVENTS,
    MAX_VARIANTS,
    Campaign,
    Channel,
    ConversionEvent,
    ConversionKind,
    Counting,
    Definitions,
    Step,
    Variant,
    Workspace,
)
from afterword.money import parse_currency

__all__ = [
    "canonical_event",
    "canonical_form",
    "check_definitions",
    "definition_version",
    "definitions_to_data",
    "load_definitions",
    "parse_definitions",
]

_TOP_KEYS = ("workspace", "campaigns", "canvases")
_WORKSPACE_KEYS = ("timezone", "currency")
_CAMPAIGN_KEYS = (
    *("id", "name", "channels", "tags", "counting", "steps", "variants", "conversion_events"),
    *("analysis", "selection"),
)
_VARIANT_KEYS = ("id", "name", "share", "control")
_STEP_KEYS = ("id", "name")
_EVENT_KEYS = ("kind", "deadline", "name", "apps", "products", "where")
_ONLY_FOR = {
    "name": (ConversionKind.CUSTOM,),
    "apps": (ConversionKind.SESSION, ConversionKind.UPGRADE),
    "products": (ConversionKind.PURCHASE,),
}
_WHOLE_HUNDREDTHS = 10_000
_CANVAS_COUNTINGS = f"{Counting.ONCE_PER_USER} or {Counting.ONCE_PER_EXPOSURE}"


def load_definitions(path: str | Path) -> Definitions:
    """Read a definition file, YAML or JSON by its suffix.

    Raises `DefinitionError` with all problems of the file, `UserError` if there is no such file.
    """
    data, duplicates = read_data(path)
    if data is None:
        raise DefinitionError(str(path), ["the file is empty"])
    try:
        definitions = parse_definitions(data, str(path))
    except DefinitionError as error:
        raise DefinitionError(str(path), [*duplicates, *error.problems]) from None
    if duplicates:
        raise DefinitionError(str(path), duplicates)
    if not definitions.campaigns:
        raise DefinitionError(str(path), ["there is no campaign and no Canvas in the file"])
    return definitions


def parse_definitions(data: object, source: str) -> Definitions:
    """Check the data of a definition file; `source` is the name that the error carries."""
    problems = Problems()
    if not isinstance(data, Mapping):
        raise DefinitionError(source, [f"is {show(data)}, must be a mapping of {', '.join(_TOP_KEYS)}"])
    top = Record(data, Place(), problems)
    top.allow(_TOP_KEYS)
    workspace = _read_workspace(top)
    campaigns = _read_campaigns(top)
    if problems.found:
        raise DefinitionError(source, problems.found)
    return Definitions(workspace, tuple(sorted(campaigns, key=lambda campaign: campaign.id.encode())))


def check_definitions(definitions: Definitions) -> Definitions:
    """Check definitions that were built in Python, and return them as a file would give them."""
    source = "definitions"
    unknown = [
        f'campaigns "{campaign.id}".kind: kind is {show(campaign.kind)}, must be campaign or canvas'
        for campaign in definitions.campaigns
        if campaign.kind not in ("campaign", "canvas")
    ]
    if unknown:
        raise DefinitionError(source, unknown)
    return parse_definitions(definitions_to_data(definitions), source)


def _read_workspace(top: Record) -> Workspace:
    value = top.data.get("workspace", {})
    place = Place("workspace", ("workspace",))
    if not isinstance(value, Mapping):
        top.problems.add(place, f"is {show(value)}, must be a mapping of {', '.join(_WORKSPACE_KEYS)}")
        return Workspace()
    record = Record(value, place, top.problems)
    record.allow(_WORKSPACE_KEYS)
    default = Workspace()
    return Workspace(_read_timezone(record) or default.timezone, _read_currency(record) or default.currency)


def _read_timezone(record: Record) -> str | None:
    name = record.text("timezone")
    if name is not None and name not in (known := available_timezones()):
        hint = nearest(name, known) or ', must be a name such as "Europe/Berlin"'
        record.problem("timezone", f"unknown time zone {show(name)}{hint}")
    return name


def _read_currency(record: Record) -> str | None:
    text = record.text("currency")
    try:
        return parse_currency(text) if text is not None else None
    except UserError as error:
        record.problem("currency", str(error))
        return None


def _read_campaigns(top: Record) -> list[Campaign]:
    campaigns: list[Campaign] = []
    places: dict[str, Place] = {}
    for key, kind in (("campaigns", "campaign"), ("canvases", "canvas")):
        for record in top.records(key, _CAMPAIGN_KEYS):
            campaign = _read_campaign(record, kind)
            _note_duplicate(record, campaign.id, places)
            campaigns.append(campaign)
    return campaigns


def _read_campaign(record: Record, kind: str) -> Campaign:
    id_ = record.text("id", required=True) or ""
    name = record.text("name") or id_
    channels = record.choices("channels", Channel)
    tags = record.texts("tags")
    counting = _read_counting(record, kind)
    steps = _read_steps(record, kind)
    variants = _read_variants(record)
    events = _read_events(record)
    analysis = read_analysis(record, events)
    selection = read_selection(record, variants, events)
    return Campaign(id_, kind, name, variants, events, counting, channels, tags, steps, analysis, selection)


def _note_duplicate(record: Record, id_: str, places: dict[str, Place]) -> None:
    """Ids are unique in their list; campaigns and Canvases share one space of ids."""
    if not id_:
        return  # that it is missing has been said
    if id_ in places:
        record.problem("id", f"id {show(id_)} is taken by {places[id_].text}")
    else:
        places[id_] = record.place


def _read_counting(record: Record, kind: str) -> Counting:
    counting = record.choice("counting", Counting) or Counting.ONCE_PER_USER
    if counting is Counting.ONCE_PER_CHANNEL:
        if kind == "canvas":
            record.problem("counting", f"{counting} is refused for a Canvas, must be {_CANVAS_COUNTINGS}")
        elif not record.data.get("channels"):
            record.problem("counting", f"{counting} needs at least one channel in channels")
    return counting


def _read_steps(record: Record, kind: str) -> tuple[Step, ...]:
    if kind == "campaign":
        if record.has("steps"):
            record.problem("steps", 'a campaign has no steps; with steps it is a Canvas and belongs under "canvases"')
        return ()
    steps: list[Step] = []
    places: dict[str, Place] = {}
    for item in record.records("steps", _STEP_KEYS):
        id_ = item.text("id", required=True) or ""
        _note_duplicate(item, id_, places)
        steps.append(Step(id_, item.text("name") or id_))
    if record.data.get("steps", []) == []:
        record.problem("steps", "a Canvas needs at least one step")
    return tuple(steps)


# --- variants ---------------------------------------------------------------------------------------


def _read_variants(record: Record) -> tuple[Variant, ...]:
    if record.data.get("variants", []) == []:
        record.problem("variants", f"a {_noun(record)} needs at least one variant")
        return ()
    records = list(record.records("variants", _VARIANT_KEYS))
    variants: list[Variant] = []
    places: dict[str, Place] = {}
    shares = [_read_share(item, single=len(records) == 1) for item in records]
    for item, share in zip(records, shares, strict=True):
        id_ = item.text("id", required=True) or ""
        _note_duplicate(item, id_, places)
        variants.append(Variant(id_, share or 0, item.text("name") or id_, item.flag("control")))
    _check_numbers(record, variants)
    known = [share for share in shares if share is not None]
    if variants and len(known) == len(variants) and sum(known) != _WHOLE_HUNDREDTHS:
        record.problem("variants", f"shares sum to {_percent(sum(known))}, must sum to 100")
    return tuple(variants)


def _noun(record: Record) -> str:
    return "Canvas" if record.place.text.startswith("canvases") else "campaign"


def _check_numbers(record: Record, variants: list[Variant]) -> None:
    controls = sum(variant.control for variant in variants)
    messages = len(variants) - controls
    if controls > 1:
        record.problem("variants", f"{controls} variants are control, at most 1 is allowed")
    if messages > MAX_VARIANTS:
        record.problem("variants", f"there are {messages} variants without control, at most {MAX_VARIANTS} are allowed")
    if variants and not messages:
        record.problem("variants", f"a {_noun(record)} needs at least one variant that is not control")


def _read_share(record: Record, *, single: bool) -> int | None:
    """Return the share in hundredths of a percent; only a single variant may do without."""
    if not record.has("share"):
        if single:
            return _WHOLE_HUNDREDTHS
        record.problem("share", "share is missing; only a single variant can do without")
        return None
    value = record.data["share"]
    share = written_number(value)
    if share is None:
        record.problem("share", f"share is {show(value)}, must be a percentage such as 45 or 12.5")
    elif not 0 <= share <= 100:
        record.problem("share", f"share is {show(value)}, must be from 0 to 100")
    elif share != round(share, 2):
        record.problem("share", f"share is {show(value)}, must have at most two decimals")
    else:
        return int(share * 100)
    return None


def _percent(hundredths: int) -> str:
    text = f"{hundredths // 100}.{hundredths % 100:02d}"
    return text.rstrip("0").rstrip(".")


# --- conversion events ------------------------------------------------------------------------------


def _read_events(record: Record) -> tuple[ConversionEvent, ...]:
    events = [_read_event(item) for item in record.records("conversion_events", _EVENT_KEYS)]
    if len(events) > MAX_CONVERSION_EVENTS:
        message = f"there are {len(events)} conversion events, at most {MAX_CONVERSION_EVENTS} are allowed"
        record.problem("conversion_events", message)
    return tuple(event for event in events if event is not None)[:MAX_CONVERSION_EVENTS]


def _read_event(record: Record) -> ConversionEvent | None:
    kind = record.choice("kind", ConversionKind, required=True)
    deadline = _read_deadline(record)
    if kind is not None:
        _check_fields_of_kind(record, kind)
    name = record.text("name")
    apps = record.texts("apps")
    products = record.texts("products")
    filters = [read_filter(item) for item in record.records("where", FILTER_KEYS)]
    if kind is None or deadline is None:
        return None
    where = tuple(condition for condition in filters if condition is not None)
    return ConversionEvent(kind, deadline, apps, products, name, where)


def _check_fields_of_kind(record: Record, kind: ConversionKind) -> None:
    for name, kinds in _ONLY_FOR.items():
        if record.has(name) and kind not in kinds:
            record.problem(name, f"{name} does not belong to kind {kind}, only to {' and '.join(kinds)}")
    if kind is ConversionKind.CUSTOM and not record.has("name"):
        record.problem("name", "name is missing, a custom event needs the name of the event")


def _read_deadline(record: Record) -> int | None:
    if not record.has("deadline"):
        record.problem("deadline", "deadline is missing, must be from 1 second to 30 days")
        return None
    value = record.data["deadline"]
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return parse_deadline(value)
        text = written_duration(value)
        if text is not None:
            return parse_deadline(text)
        record.problem("deadline", f"deadline is {show(value)}, must be a duration such as 3 days")
    except UserError as error:
        record.problem("deadline", str(error))
    return None
