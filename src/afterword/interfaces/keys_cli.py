"""`afterword key`: make, list and revoke the keys with which others write and read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterword.interfaces import options, output
from afterword.interfaces.moments import iso, now

if TYPE_CHECKING:
    from afterword.store.keys import Key
    from afterword.store.metadata import Metadata

app = typer.Typer(name="key", help="Make, list and revoke API keys.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who will use the key.")],
    permissions: Annotated[
        list[str] | None,
        typer.Option(
            "--permissions",
            metavar="PERMISSION...",
            help="What the key may do: users.track, campaigns.data_series, 'campaigns.*', ...; admin is everything.",
        ),
    ] = None,
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Make an API key.

    It is printed this once; only its hash is kept. The data directory is made if it is not there.
    """
    from afterword.store.audit import COMMAND

    with open_at(data, metadata, create=True) as opened:
        created = opened.keys.create(name, permissions or (), now(), os.urandom)
        allowed = " ".join(sorted(created.key.permissions))
        opened.audit.add(now(), COMMAND, "key.created", created.key.id, {"name": created.key.name, "may": allowed})
    if as_json:
        output.say_json({**_json(created.key), "key": created.secret})
        return
    # The key alone on stdout, so that KEY=$(afterword key create ...) works.
    output.say(created.secret)
    output.note(f"This is the key {created.key.id} of {created.key.name}. Keep it now; it cannot be shown again.")


@app.command("list")
def list_keys(
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """List the API keys.

    Without the keys themselves, which are kept nowhere; the revoked are among them.
    """
    with open_at(data, metadata, create=False, listing=True) as opened:
        rows = [_json(key) for key in opened.keys.list()]
    if as_json:
        output.say_json(rows)
        return
    output.say_rows([{**row, "permissions": " ".join(row["permissions"])} for row in rows])
    output.note(output.counted(len(rows), "key"))


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `afterword key list` shows it.")],
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """End an API key for good.

    A server that runs refuses it within a second.
    """
    from afterword.store.audit import COMMAND

    with open_at(data, metadata, create=False) as opened:
        revoked = opened.keys.revoke(key, now())
        opened.audit.add(now(), COMMAND, "key.revoked", revoked.id, {"name": revoked.name})
    if as_json:
        output.say_json(_json(revoked))
    else:
        output.say(f"The key {revoked.id} of {revoked.name} is revoked since {iso(revoked.revoked_at)}.")


def open_at(data: Path, url: str | None, *, create: bool, listing: bool = False) -> Metadata:
    """Open the metadata at the URL, or else in the data directory; see `open_metadata`."""
    from afterword.store.metadata import FILE_NAME, open_metadata

    return open_metadata(url or data / FILE_NAME, create=create, listing=listing)


def _json(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "permissions": sorted(key.permissions),
        "created_at": iso(key.created_at),
        "last_used_at": iso(key.last_used_at),
        "revoked_at": iso(key.revoked_at),
    }
