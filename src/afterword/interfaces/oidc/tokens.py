"""What is believed of a token: OpenID Connect Core 1.0, 3.1.3.7. Authlib judges the claims, joserfc the signature."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from afterword.errors import UserError
from afterword.interfaces.oidc.settings import Oidc

if TYPE_CHECKING:
    from joserfc.jwk import Key

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Those that only the provider can sign by: none signs nothing, and HS256 would take a public key for a secret."""
KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC"}
LEEWAY = 60
"""Seconds that clocks may differ."""
LONGEST = 64 << 10
SENTENCES = {
    "iss": "it comes from another provider (iss)",
    "aud": "it is meant for another program (aud)",
    "azp": "it is meant for another program (azp)",
    "nonce": "it belongs to another attempt to sign in (nonce)",
    "exp": "it has expired (exp)",
    "iat": "it comes from the future (iat): do the clocks of this server and of the provider differ?",
    "nbf": "it does not hold yet (nbf): do the clocks of this server and of the provider differ?",
    "at_hash": "it does not belong to the access token that came with it (at_hash)",
}

Keys = tuple["Key", ...]


class NotBelieved(UserError):
    """What came from a provider does not hold; an HTTP interface answers 403."""


def read_keys(told: Mapping[str, Any]) -> Keys:
    """Read a set of keys (RFC 7517); those of kinds that are not known are left out.

    Raises:
        ValueError: it is no set of keys.

    """
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    if not isinstance(told.get("keys"), list):
        raise ValueError("no keys")
    found = []
    for each in told["keys"]:
        try:
            if isinstance(each, dict) and each.get("kty") in KINDS.values() and each.get("use", "sig") == "sig":
                found.append(JWKRegistry.import_key(each))
        except (JoseError, ValueError, TypeError):
            continue
    return tuple(found)


def checked_claims(
    token: str, keys: Callable[[bool], Keys], oidc: Oidc, nonce: str, access: str, now: int
) -> dict[str, Any]:
    """Return what an id_token says, if all of it holds.

    Args:
        token: as it came.
        keys: gives the provider's keys; with True it asks for them anew, since a provider may change them any time.
        oidc: whose word is taken.
        nonce: of this attempt.
        access: the access token beside it.
        now: epoch microseconds.

    Raises:
        NotBelieved: something does not hold.

    """
    from authlib.oidc.core import CodeIDToken
    from joserfc.errors import ExpiredTokenError, JoseError, MissingClaimError

    header, claims = _verified(token, keys)
    options = {"iss": {"essential": True, "value": oidc.issuer}, "aud": {"essential": True, "value": oidc.client_id}}
    params = {"nonce": nonce, "client_id": oidc.client_id, "access_token": access}
    try:
        CodeIDToken(claims, header, options, params).validate(now // 1_000_000, LEEWAY)
    except ExpiredTokenError:
        raise _refusal("exp") from None
    except MissingClaimError as error:
        raise NotBelieved(f"the provider's token is refused: it lacks what it must say ({error.claim})") from None
    except JoseError as error:
        raise _refusal(getattr(error, "claim", "")) from None
    except (ValueError, TypeError, AttributeError):
        raise _refusal("") from None
    if not (isinstance(claims["sub"], str) and 0 < len(claims["sub"]) <= 255):
        raise _refusal("sub")
    return claims


def _verified(token: str, keys: Callable[[bool], Keys]) -> tuple[dict[str, Any], dict[str, Any]]:
    from joserfc import jwt
    from joserfc.errors import JoseError

    if len(token) > LONGEST:
        raise NotBelieved(f"the provider's token has {len(token)} characters, at most {LONGEST} are read")
    header = _header(token)
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise NotBelieved(f"the provider's token is signed by {str(algorithm)[:20]}, which proves nothing here")
    for anew in (False, True):
        for key in _fitting(keys(anew), algorithm, name):
            try:
                return header, dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
            except (JoseError, ValueError, TypeError):
                continue
    raise NotBelieved("no key of the provider fits the signature of its token")


def _header(token: str) -> dict[str, Any]:
    first = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise NotBelieved("the provider's token cannot be read")
    return header


def _fitting(keys: Keys, algorithm: str, name: object) -> list[Key]:
    kind = KINDS[algorithm[:2]]
    return [key for key in keys if key.key_type == kind and (name is None or key.kid == name)]


def _refusal(claim: str) -> NotBelieved:
    why = SENTENCES.get(claim, f"it says something wrongly ({claim})" if claim else "it is wrong")
    return NotBelieved(f"the provider's token is refused: {why}")
