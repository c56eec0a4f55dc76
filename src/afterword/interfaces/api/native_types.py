"""What bodies and answers of Afterword's own paths look like, for the type checker and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from afterword.intake.amounts import MAX_QUANTITY
from afterword.interfaces.api.braze_types import Id, UserId
from afterword.interfaces.api.selection_types import SelectionSettings
from afterword.model import (
    MAX_CONVERSION_EVENTS,
    Channel,
    ConversionKind,
    Counting,
    GuardrailEvent,
    MultipleTesting,
    Op,
    Outcome,
    PlanKind,
    WinnerRule,
    Worse,
)
from afterword.store.campaign_rules import Status

Kind = Literal[
    "session", "purchase", "refund", "custom", "upgrade", "message_delivered", "message_bounced",
    "message_impression", "message_open", "message_click", "message_unsubscribe", "message_complaint",
]  # fmt: skip
Time = Annotated[str, Meta(description="ISO 8601; without an offset it is UTC", examples=["2026-03-01T09:30:00Z"])]
Text = Annotated[str, Meta(max_length=255)] | None
Amount = str | float
Micros = Annotated[int, Meta(description="microseconds since 1970")]


class Event(TypedDict):
    """An event: which fields there must be besides these depends on `kind` (docs/files.md)."""

    user_id: UserId
    kind: Kind
    occurred_at: Time
    event_id: NotRequired[Text]
    name: NotRequired[Text]
    product_id: NotRequired[Text]
    order_id: NotRequired[Text]
    app_id: NotRequired[Text]
    app_version: NotRequired[Text]
    from_version: NotRequired[Text]
    device_id: NotRequired[Text]
    price: NotRequired[Amount | None]
    quantity: NotRequired[Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] | None]
    currency: NotRequired[Annotated[str, Meta(pattern="^[A-Za-z]{3}$")] | None]
    campaign_id: NotRequired[Text]
    channel: NotRequired[Channel | None]
    exposure_id: NotRequired[Text]
    machine: NotRequired[bool | None]
    properties: NotRequired[dict[str, Any] | None]
    refund_of: NotRequired[Text]


class Exposure(TypedDict):
    """A user was sent a message, or was in the control group."""

    user_id: UserId
    campaign_id: Id
    exposed_at: Time
    exposure_id: NotRequired[Text]
    variant_id: NotRequired[Text]
    channel: NotRequired[Channel | None]
    outcome: NotRequired[Outcome | None]
    trigger_event_id: NotRequired[Text]


class StepMessage(TypedDict):
    """A user got the message of a Canvas step."""

    user_id: UserId
    campaign_id: Id
    step_id: Id
    received_at: Time
    message_id: NotRequired[Text]
    exposure_id: NotRequired[Text]


class Events(TypedDict):
    """Events, 10,000 at most."""

    events: list[Event]


class Exposures(TypedDict):
    """Exposures, 10,000 at most."""

    exposures: list[Exposure]


class StepMessages(TypedDict):
    """Step messages, 10,000 at most."""

    step_messages: list[StepMessage]


class RejectedItem(TypedDict):
    """An item that cannot be used."""

    item: Annotated[int, Meta(description="its place in the request, from 0")]
    reason: Annotated[str, Meta(description="one of a closed set (rule 35)")]
    message: str


class ItemsTaken(TypedDict):
    """What became of the items."""

    message: str
    accepted: int
    rejected: list[RejectedItem]
    notes: Annotated[list[str], Meta(description="what was assumed or ignored, a sentence each")]


class ItemsNotTaken(TypedDict):
    """Why nothing was taken: the body as a whole, or each of its items."""

    message: str
    accepted: NotRequired[int]
    rejected: NotRequired[list[RejectedItem]]
    notes: NotRequired[list[str]]


class UsersToDelete(TypedDict):
    """Persons to be erased."""

    user_ids: Annotated[list[UserId], Meta(description="any id of each will do", max_length=1000)]
    leave: NotRequired[
        Annotated[
            Literal["counts", "nothing"],
            Meta(description="counts: a stranger stays in the person's place; nothing: facts go out of results, too"),
        ]
    ]


class DeletionsTaken(TypedDict):
    """Who will be erased."""

    message: str
    deleted: int
    rejected: list[RejectedItem]
    position: Annotated[int, Meta(description="done when `done_position` of `GET /api/users/deletions` is larger")]


class DeletionsNotTaken(TypedDict):
    """Why nobody will be erased."""

    message: str
    deleted: NotRequired[int]
    rejected: NotRequired[list[RejectedItem]]
    position: NotRequired[int]


class FoundUser(TypedDict):
    """What there is of a person."""

    user_id: str
    ids: Annotated[int, Meta(description="how many ids the person has")]
    facts: int


class Deletions(TypedDict):
    """How far the erasing of deleted persons is."""

    stage: Annotated[str, Meta(description="`nothing`, `waiting`, `log` or `facts`")]
    deletions: Annotated[int, Meta(description="how many are not finished")]
    since: str | None
    due: Annotated[str | None, Meta(description="when log and files will be rid of them")]
    loaded_position: int
    done_position: Annotated[int, Meta(description="deletions before this position are finished")]
    failure: str | None
    users: NotRequired[list[FoundUser]]


class Variant(TypedDict):
    """A variant; shares sum to 100."""

    id: Id
    name: NotRequired[Id]
    share: NotRequired[Annotated[float, Meta(ge=0, le=100)]]
    control: NotRequired[bool]


class Step(TypedDict):
    """A step of a Canvas."""

    id: Id
    name: NotRequired[Id]


class Filter(TypedDict):
    """A condition on a property (rule 5)."""

    property: str
    op: Op
    value: NotRequired[Any]


class ConversionEvent(TypedDict):
    """What counts as a conversion, and until when."""

    kind: ConversionKind
    deadline: Annotated[int | str, Meta(description="seconds, or a duration such as `3 days`; 30 days at most")]
    name: NotRequired[Id]
    apps: NotRequired[list[Id]]
    products: NotRequired[list[Id]]
    where: NotRequired[list[Filter]]


Percentage = Annotated[str, Meta(description="a percentage with its sign, such as `2%`")]


class Guardrail(TypedDict):
    """What must not get worse by more than the margin, in percentage points."""

    event: GuardrailEvent
    margin: Percentage
    worse: NotRequired[Worse]


class Analysis(TypedDict):
    """How results will be judged; pinned at launch."""

    plan: NotRequired[PlanKind]
    alpha: NotRequired[Annotated[float, Meta(ge=0.001, le=0.2)]]
    smallest_effect: NotRequired[Percentage]
    minimum_sample: NotRequired[Annotated[int, Meta(ge=1, description="users per variant")]]
    guardrails: NotRequired[list[Guardrail]]
    winsorize: NotRequired[Annotated[float, Meta(gt=0, description="what a user's revenue counts at most")]]
    rule: NotRequired[WinnerRule]
    multiple_testing: NotRequired[MultipleTesting]


class Definition(TypedDict):
    """A campaign, or a Canvas if it has steps, with the fields of definition files (docs/definitions.md)."""

    id: Id
    variants: list[Variant]
    name: NotRequired[Id]
    channels: NotRequired[list[Channel]]
    tags: NotRequired[list[Id]]
    counting: NotRequired[Counting]
    steps: NotRequired[list[Step]]
    conversion_events: NotRequired[Annotated[list[ConversionEvent], Meta(max_length=MAX_CONVERSION_EVENTS)]]
    analysis: NotRequired[Analysis]
    selection: NotRequired[SelectionSettings]
    kind: NotRequired[Literal["campaign", "canvas"]]
    description: NotRequired[str | None]


class Campaign(TypedDict):
    """A campaign or Canvas as it is defined, and what became of it."""

    id: str
    name: str
    channels: NotRequired[list[str]]
    tags: NotRequired[list[str]]
    counting: Counting
    steps: NotRequired[list[Step]]
    variants: list[Variant]
    conversion_events: NotRequired[list[ConversionEvent]]
    analysis: Analysis
    selection: NotRequired[SelectionSettings]
    kind: Literal["campaign", "canvas"]
    description: str
    status: Status
    version: str
    created_at: Micros
    updated_at: Micros
    launched_at: Micros | None
    redefined: bool


class AllCampaigns(TypedDict):
    """All campaigns and Canvases."""

    campaigns: list[Campaign]


class Unit(TypedDict):
    """A user behind a number: once, or once for each channel or exposure, as the campaign counts."""

    user_id: str
    channel: NotRequired[str]
    exposure_id: NotRequired[str]


class Units(TypedDict):
    """Who is behind a number."""

    users: list[Unit]


class StoryEntry(TypedDict):
    """A fact of a user's story."""

    at: str
    what: str
    id: str | None
    text: str


class Verdict(TypedDict):
    """Why an exposure did or did not lead to a conversion."""

    conversion_event: str
    exposure_id: str | None
    exposed_at: str | None
    verdict: str
    event_id: str | None
    text: str
    exposure: Annotated[str, Meta(description="its time, and its id if the sender gave one; empty without any")]


class Story(TypedDict):
    """Why a user did or did not convert (rule 39)."""

    campaign: str
    user: str
    person: str
    as_of: str
    timezone: str
    conversion_events: dict[str, str]
    overall: dict[str, str]
    story: list[StoryEntry]
    verdicts: list[Verdict]
    rejected_rows: int
    unknown: Annotated[str | None, Meta(description="said where nothing is known of the user")]


class Alive(TypedDict):
    """The process runs."""

    status: str
    version: str


class Ready(TypedDict):
    """Whether facts are taken and results are there."""

    status: str
    message: NotRequired[str]


class DifferentRows(TypedDict):
    """Rows of a table and campaign that are not the same."""

    table: str
    campaign: str
    missing: int
    surplus: int
    examples: list[dict[str, Any]]


class Recomputed(TypedDict):
    """Whether the results that are kept are what all facts give."""

    same: bool
    as_of: str
    campaigns: int
    rows: int
    differences: list[DifferentRows]


class Recomputing(TypedDict):
    """Nothing is known yet."""

    same: None
    message: str


class Copied(TypedDict):
    """A copy of the facts."""

    facts: Annotated[str, Meta(description="its path in the data directory")]
    position: Annotated[int, Meta(description="up to which request of the log it goes")]
