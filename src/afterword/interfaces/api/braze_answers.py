"""What the answers of Braze-compatible reads look like, for the type checker and for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from afterword.interfaces.api.braze_types import UserAlias, UserId

SUCCESS = "success"
Time = Annotated[str, Meta(description="ISO 8601 in UTC, with an offset")]


class ListedCampaign(TypedDict):
    """A campaign in a list."""

    id: str
    last_edited: Time
    name: str
    is_api_campaign: bool
    tags: list[str]


class CampaignPage(TypedDict):
    """A page of campaigns, 100 at most."""

    campaigns: list[ListedCampaign]
    message: str


class ListedCanvas(TypedDict):
    """A Canvas in a list."""

    id: str
    last_edited: Time
    name: str
    tags: list[str]


class CanvasPage(TypedDict):
    """A page of Canvases, 100 at most."""

    canvases: list[ListedCanvas]
    message: str


class Details(TypedDict):
    """What campaigns and Canvases have in common."""

    created_at: Time
    updated_at: Time
    archived: bool
    draft: bool
    enabled: bool
    name: str
    description: str
    schedule_type: None
    channels: list[str]
    first_sent: Time | None
    last_sent: Time | None
    tags: list[str]
    conversion_behaviors: list[dict[str, Any]]
    message: str


class CampaignDetails(Details):
    """A campaign."""

    messages: Annotated[dict[str, dict[str, Any]], Meta(description="by the id of the variant")]


class CanvasDetails(Details):
    """A Canvas."""

    first_entry: Time | None
    last_entry: Time | None
    variants: list[dict[str, Any]]
    steps: list[dict[str, Any]]


class Conversions(TypedDict):
    """How many converted on each of the conversion events, by the day of the conversion or of the message."""

    conversions: int
    conversions_by_send_time: int
    conversions1: int
    conversions1_by_send_time: int
    conversions2: int
    conversions2_by_send_time: int
    conversions3: int
    conversions3_by_send_time: int


class CampaignDay(Conversions):
    """A campaign's numbers of a day."""

    time: Annotated[str, Meta(description="a day of the workspace")]
    unique_recipients: int
    revenue: float
    messages: Annotated[
        dict[str, list[dict[str, Any]]],
        Meta(description="by channel, an entry for each variant; what was never reported is null"),
    ]


class CampaignSeries(TypedDict):
    """A campaign's numbers by day, oldest first."""

    data: list[CampaignDay]
    message: str


class CanvasEntered(TypedDict):
    """Numbers of those who entered a Canvas."""

    name: NotRequired[str]
    revenue: float
    conversions: int
    conversions_by_entry_time: int
    conversions1: int
    conversions1_by_entry_time: int
    conversions2: int
    conversions2_by_entry_time: int
    conversions3: int
    conversions3_by_entry_time: int
    entries: int


class CanvasStep(TypedDict):
    """A step's numbers."""

    name: str
    revenue: float
    conversions: int
    conversions_by_entry_time: int
    conversions1: int
    conversions1_by_entry_time: int
    conversions2: int
    conversions2_by_entry_time: int
    conversions3: int
    conversions3_by_entry_time: int
    messages: dict[str, list[dict[str, Any]]]


class CanvasStats(TypedDict):
    """A Canvas' numbers, with those of each variant and step if they are asked for."""

    total_stats: CanvasEntered
    variant_stats: NotRequired[dict[str, CanvasEntered]]
    step_stats: NotRequired[dict[str, CanvasStep]]


class CanvasDay(CanvasStats):
    """A Canvas' numbers of a day."""

    time: str


class CanvasDays(TypedDict):
    """A Canvas and its days."""

    name: str
    stats: list[CanvasDay]


class CanvasSeries(TypedDict):
    """A Canvas' numbers by day, oldest first."""

    data: CanvasDays
    message: str


class CanvasSum(CanvasStats):
    """A Canvas and its numbers over some days."""

    name: str


class CanvasSummary(TypedDict):
    """A Canvas' numbers over all the days together."""

    data: CanvasSum
    message: str


class EventNamePage(TypedDict):
    """A page of the names of custom events, 250 at most."""

    events: list[str]
    message: str


class ProductPage(TypedDict):
    """A page of the ids of products, 250 at most."""

    products: list[str]
    message: str


class Numbered(TypedDict):
    """A number of a day or an hour; of the numbers each path has the one of its name."""

    time: Annotated[str, Meta(description="a day or an hour of the workspace")]
    count: NotRequired[int | None]
    revenue: NotRequired[float | None]
    purchase_quantity: NotRequired[int | None]
    sessions: NotRequired[int | None]
    dau: NotRequired[int | None]
    mau: NotRequired[int | None]
    new_users: NotRequired[int | None]
    uninstalls: NotRequired[None]


class Series(TypedDict):
    """Numbers by day or hour, oldest first."""

    data: list[Numbered]
    message: str


class NoSegments(TypedDict):
    """There are no segments."""

    segments: list[str]
    message: str


class NoCards(TypedDict):
    """There are no cards."""

    cards: list[str]
    message: str


class Export(TypedDict):
    """Whose profiles are wanted, 50 at most, and which fields of them."""

    external_ids: NotRequired[Annotated[list[UserId], Meta(max_length=50)]]
    user_aliases: NotRequired[Annotated[list[UserAlias], Meta(max_length=50)]]
    braze_id: NotRequired[str | None]
    email_address: NotRequired[str | None]
    phone: NotRequired[str | None]
    fields_to_export: NotRequired[list[str] | None]


class Exported(TypedDict):
    """Profiles, with what is known of each; and the ids that nobody has."""

    users: list[dict[str, Any]]
    invalid_user_ids: list[str]
    message: str
