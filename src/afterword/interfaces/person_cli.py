"""`afterword person`: who may sign in. Whoever has the machine can always get in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterword.errors import UserError
from afterword.interfaces import options, output
from afterword.interfaces.client import find_server
from afterword.interfaces.keys_cli import open_at
from afterword.interfaces.moments import iso, now

if TYPE_CHECKING:
    from afterword.store.accounts import Account
    from afterword.store.metadata import Metadata

INVITATION = "/invitation?secret="
"""Where the page is on which somebody chooses a password."""

app = typer.Typer(
    name="person", help="Add, list and disable people who sign in.", no_args_is_help=True, rich_markup_mode=None
)
Person = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address, or the id that the list shows.")]
Link = Annotated[bool, typer.Option("--link", help="Print a link by which the person chooses a password.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="What the link begins with. Not set: where the server runs, or would by default."
    ),
]


@app.command()
def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address.")],
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="viewer, analyst, editor or admin; each may more.")
    ] = "viewer",
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="How pages call the person. Not set: as the address.")
    ] = None,
    link: Link = False,
    url: Url = None,
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Add somebody who may sign in.

    Asks for the password, or reads a line of the standard input if that is no terminal; with --link it prints a link
    that works once, for 7 days. The data directory is made if it is not there.
    """
    from afterword.store.accounts import read_role

    may, called = read_role(role), name or email.partition("@")[0]
    with open_at(data, metadata, create=True) as opened:
        secret = None
        if link:
            account, secret = opened.accounts.invite(email, called, may, now(), os.urandom)
        else:
            account = opened.accounts.create(email, called, may, now(), _password())
        _note(opened, "person.invited" if link else "person.added", account)
    _say(account, as_json, f"{account.email} may sign in as {account.role}.", _link(data, url, secret))


@app.command("list")
def list_people(
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """List the people who may sign in, the disabled among them."""
    with open_at(data, metadata, create=False, listing=True) as opened:
        rows = [_json(account) for account in opened.accounts.list()]
    if as_json:
        output.say_json(rows)
        return
    output.say_rows(rows)
    output.note(f"{len(rows):,} {'person' if len(rows) == 1 else 'people'}")


@app.command()
def password(
    person: Person,
    link: Link = False,
    url: Url = None,
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Let somebody have another password.

    Asks for it as `add` does. All sessions of the person end, and so does waiting after wrong passwords.
    """
    with open_at(data, metadata, create=False) as opened:
        account, secret = _found(opened, person), None
        if link:
            account, secret = opened.accounts.reset(account.id, now(), os.urandom)
        else:
            account = opened.accounts.set_password(account.id, _password(), now())
        _note(opened, "person.invited" if link else "person.password", account)
    _say(account, as_json, f"{account.email} has another password.", _link(data, url, secret))


@app.command()
def role(
    person: Person,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, analyst, editor or admin.")],
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Let somebody have another role."""
    from afterword.store.accounts import read_role

    with open_at(data, metadata, create=False) as opened:
        account = opened.accounts.set_role(_found(opened, person).id, read_role(role), now())
        _note(opened, "person.changed", account)
    _say(account, as_json, f"{account.email} may sign in as {account.role}.")


@app.command()
def disable(
    person: Person,
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Let somebody in no more.

    A server that runs ends the person's sessions within a second.
    """
    with open_at(data, metadata, create=False) as opened:
        account = opened.accounts.disable(_found(opened, person).id, now())
        _note(opened, "person.changed", account)
    _say(account, as_json, f"{account.email} is disabled since {iso(account.disabled_at)}.")


@app.command()
def enable(
    person: Person,
    data: options.DataDir = Path("./afterword-data"),
    metadata: options.MetadataUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Let somebody in again, with the password from before."""
    with open_at(data, metadata, create=False) as opened:
        account = opened.accounts.enable(_found(opened, person).id, now())
        _note(opened, "person.changed", account)
    _say(account, as_json, f"{account.email} may sign in as {account.role}.")


def _found(opened: Metadata, person: str) -> Account:
    return opened.accounts.find(person) if "@" in person else opened.accounts.get(person)


def _password() -> str:
    """Ask twice without showing it, or read a line where nobody can be asked."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise UserError("there is no password: type it in a terminal, pipe in a line, or print a link with --link")
    return text


def _link(data: Path, url: str | None, secret: str | None) -> str | None:
    if secret is None:
        return None
    if url is None:
        from afterword.settings import HOST, PORT

        server = find_server(data)
        url = f"http://{HOST.default}:{PORT.default}" if server is None else server.running.address
    return f"{url.rstrip('/')}{INVITATION}{secret}"


def _note(opened: Metadata, action: str, account: Account) -> None:
    from afterword.store.audit import COMMAND

    detail = {"role": account.role.value, "disabled_at": iso(account.disabled_at)}
    opened.audit.add(now(), COMMAND, action, account.id, {name: text for name, text in detail.items() if text})


def _say(account: Account, as_json: bool, sentence: str, link: str | None = None) -> None:
    if as_json:
        output.say_json(_json(account) | ({} if link is None else {"link": link}))
    elif link is None:
        output.say(sentence)
    else:
        # The link alone on stdout, as with a key.
        output.say(link)
        output.note(f"By this link {account.email} chooses a password: once, within 7 days. It cannot be shown again.")


def _json(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "role": account.role.value,
        "created_at": iso(account.created_at),
        "last_seen_at": iso(account.last_seen_at),
        "invited_until": iso(account.invited_until),
        "disabled_at": iso(account.disabled_at),
    }
