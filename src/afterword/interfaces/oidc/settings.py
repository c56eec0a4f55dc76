"""What a file says of the provider by which people sign in."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from afterword.errors import UserError, nearest
from afterword.store.account_rows import Role, read_role

SECRET_VARIABLE = "AFTERWORD_OIDC_CLIENT_SECRET"
SCOPE = "openid email profile"
BACK = "/sign-in/back"
"""Where the provider sends people back to, after the server's own address."""
FIELDS = ("issuer", "client_id", "client_secret", "client_secret_file", "address", "name", "scope", "default_role",
          "role_claim", "roles", "passwords")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Oidc:
    """A provider, and what its word is worth here."""

    issuer: str
    client_id: str
    address: str
    """Of this server, as browsers reach it, without a slash at its end."""
    client_secret: str = field(default="", repr=False)
    """Empty for a client that has none."""
    name: str = ""
    """What people call the provider."""
    scope: str = SCOPE
    default_role: str = ""
    """Of people whom nobody has invited; empty where they are not let in."""
    role_claim: str = ""
    """What in the provider's word says the role; a part of a part with a dot between."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Roles by the values of that claim."""
    passwords: bool = True
    """Whether people may sign in by a password, too."""

    @property
    def back(self) -> str:
        """The whole address where people come back to; the provider has to know it."""
        return self.address + BACK

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """Return the highest role that the claim gives, else that of people whom nobody has invited."""
        found: Any = claims
        if self.role_claim in claims:
            found = claims[self.role_claim]
        else:
            for part in self.role_claim.split("."):
                found = found.get(part) if isinstance(found, dict) else None
        values = found if isinstance(found, list) else [found]
        given = {self.roles[value] for value in values if isinstance(value, str) and value in self.roles}
        if self.role_claim and given:
            return max(map(Role, given), key=list(Role).index)
        return Role(self.default_role) if self.default_role else None


def read_oidc(path: Path | None, environment: Mapping[str, str]) -> Oidc | None:
    """Read the file, None if there is none; the environment's client secret goes before the file's.

    Raises:
        UserError: the file cannot be read or says what cannot be, or Authlib is not installed.

    """
    if path is None:
        return None
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"the file of --oidc, {path}, cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"the file of --oidc, {path}, is no TOML: {error}") from None
    try:
        found = _checked(told, path, environment.get(SECRET_VARIABLE, ""))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if importlib.util.find_spec("authlib") is None:
        raise UserError("to sign in by a provider Authlib is needed: pip install 'afterword[oidc]'")
    return found


def _checked(told: dict[str, Any], path: Path, secret: str) -> Oidc:
    for name, value in told.items():
        if name not in FIELDS:
            raise UserError(f'unknown setting "{name}"{nearest(name, FIELDS)}; there are {", ".join(FIELDS)}')
        kind: type = {"roles": dict, "passwords": bool}.get(name, str)
        if not isinstance(value, kind):
            what = {dict: "a table such as [roles]", bool: "true or false", str: "text"}[kind]
            raise UserError(f"{name} must be {what}")  # the value may be the secret
    for name in ("issuer", "client_id", "address"):
        if not told.get(name):
            raise UserError(f"{name} is missing")
    if "client_secret_file" in told:
        if "client_secret" in told:
            raise UserError("client_secret and client_secret_file are both there: leave one out")
        secret = secret or _secret_in(path.parent / told.pop("client_secret_file"))
    told.pop("client_secret_file", None)
    secret = secret or told.pop("client_secret", "")
    told.pop("client_secret", None)
    if told.get("default_role"):
        read_role(told["default_role"])
    roles = told.get("roles", {})
    for value, role in roles.items():
        read_role(role if isinstance(role, str) else str(role))
        if not value:
            raise UserError("a value of roles is empty")
    if bool(roles) != bool(told.get("role_claim")):
        raise UserError("role_claim and [roles] belong together: the claim's name, and the roles by its values")
    if "openid" not in told.get("scope", SCOPE).split():
        raise UserError('scope must contain "openid"')
    checked_address("issuer", told["issuer"])
    told["address"] = checked_address("address", told["address"]).rstrip("/")
    if urlsplit(told["address"]).path:
        raise UserError(f"address is {told['address']}, must end with the host, such as https://afterword.example.com")
    told["name"] = told.get("name") or urlsplit(told["issuer"]).hostname or ""
    return Oidc(**told, client_secret=secret)


def _secret_in(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise UserError(f"client_secret_file {path} cannot be read: {error}") from None


def checked_address(name: str, url: str) -> str:
    """Return an address whose traffic nobody reads: https, or http on this machine.

    Raises:
        UserError: another one.

    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - is read only where it is asked for
    except ValueError as error:
        raise UserError(f"{name} cannot be read: {error}") from None
    if not url.isascii() or not url.isprintable() or " " in url or not parts.hostname or "@" in parts.netloc:
        raise UserError(f'{name} is "{url[:200]}", must be an address such as https://id.example.com')
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise UserError(f"{name} is {url[:200]}, must begin with https:// (http:// is for this machine alone)")
    if parts.query or parts.fragment:
        raise UserError(f"{name} is {url[:200]}, must have no part after ? or #")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
