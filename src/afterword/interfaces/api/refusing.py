"""What a request asks of the metadata: its body in a form, and what the stores refuse as the refusal of the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from afterword.errors import UserError
from afterword.interfaces.api.faults import Refused, bad_request
from afterword.interfaces.api.operations import Call
from afterword.selection.situation import NothingToSelect
from afterword.store.accounts import AccountRefused, UnknownAccount
from afterword.store.campaigns import CampaignRefused, UnknownCampaign
from afterword.store.drafts import UnknownDraft
from afterword.store.holdouts import HoldoutRefused, UnknownHoldout
from afterword.store.metadata_database import MetadataUnavailable
from afterword.store.selections import UnknownDecision
from afterword.store.webhooks import UnknownWebhook

Form = TypeVar("Form")
Found = TypeVar("Found")
UNKNOWN = (UnknownAccount, UnknownCampaign, UnknownDecision, UnknownDraft, UnknownHoldout, UnknownWebhook)
NOT_AS_IT_STANDS = (AccountRefused, CampaignRefused, HoldoutRefused, NothingToSelect)


def form_of(body: bytes, form: type[Form]) -> Form:
    """Return a body as a form; raises `Refused` 400 for what is none."""
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body cannot be read: {error}") from None


async def read_form(call: Call, form: type[Form]) -> Form:
    """Return the body of a request as a form, where no body at all says nothing; raises `Refused`."""
    return form_of(await call.body() or b"{}", form)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what a store refuses inside into `Refused`: 404 not there, 409 not as it stands, else 400.

    That the metadata cannot be reached (`MetadataUnavailable`) is no mistake of the request and stays what it is.
    """
    try:
        yield
    except UNKNOWN as error:
        raise Refused(404, str(error)) from None
    except NOT_AS_IT_STANDS as error:
        raise Refused(409, str(error)) from None
    except MetadataUnavailable:
        raise
    except UserError as error:
        raise bad_request(str(error)) from None


async def asked_of(ask: Callable[[], Found]) -> Found:
    """Return what a store answers, asked in a thread; raises as `refusals`."""
    with refusals():
        return await asyncio.to_thread(ask)
