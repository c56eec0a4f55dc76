"""Signing in by a provider: there and back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from afterword.errors import UserError
from afterword.interfaces.oidc.pending import MICROSECONDS, Attempt
from afterword.interfaces.oidc.provider import Provider, ProviderFailed
from afterword.interfaces.oidc.settings import BACK
from afterword.interfaces.oidc.tokens import NotBelieved
from afterword.interfaces.web.links import own
from afterword.interfaces.web.rendering import go, page
from afterword.interfaces.web.signing_in import NEXT, REPLAY, REPLAY_TO, SignIn, form_page, signed_in_again
from afterword.interfaces.web.visits import Visit, Web, keep_session
from afterword.store.account_rows import MAX_NAME
from afterword.store.identities import Admitted, NotAdmitted, Vouched

WITH = "/sign-in/with"
COOKIE = "afterword_attempt"
LATE = (
    "This attempt to sign in was finished before, took longer than 10 minutes or began in another browser. Try again."
)
REFUSED = {
    "access_denied": "You were not let in there, or stopped it.",
    "login_required": "You have to sign in there.",
    "temporarily_unavailable": "It is not available now: try again.",
}


def begin(web: Web, visit: Visit) -> Response:
    """Send somebody to the provider; a form that has waited comes by POST, which browsers send nowhere else."""
    if web.provider is None or web.pending is None:
        return go("/sign-in")
    asked = visit.sent if visit.form else visit.asked
    typed = SignIn(next=own(asked(NEXT)), replay=visit.sent(REPLAY), replay_to=own(visit.sent(REPLAY_TO), ""))
    kept = web.pending.begin(typed.next, typed.replay, typed.replay_to, visit.now, web.chance)
    state, browser, attempt = kept
    try:
        address = web.provider.address(state, attempt.nonce, attempt.verifier, visit.now)
    except ProviderFailed as error:
        return form_page(web, visit, _form(attempt, error), 502)
    if typed.replay:
        response = page("leaving.html.j2", visit, "Sign in", "", address=address, name=web.provider.oidc.name)
        response.headers["refresh"] = f"0; url={address}"
    else:
        response = go(address)
    secure = visit.secure or web.provider.oidc.address.startswith("https:")
    response.set_cookie(
        COOKIE, browser, max_age=MICROSECONDS // 1_000_000, httponly=True, samesite="lax", secure=secure, path=BACK
    )
    return response


def finish(web: Web, visit: Visit) -> Response:
    """Let somebody in who comes back from the provider."""
    if web.provider is None or web.pending is None:
        return go("/sign-in")
    attempt = web.pending.finish(visit.asked("state"), visit.cookies.get(COOKIE, ""), visit.now)
    if attempt is None:
        return form_page(web, visit, SignIn(error=LATE), 400)
    try:
        response = _let_in(web, web.provider, visit, attempt)
    except ProviderFailed as error:
        response = form_page(web, visit, _form(attempt, error), 502)
    except UserError as error:  # not believed, not admitted, or a name or address that cannot be
        response = form_page(web, visit, _form(attempt, error), 403)
    response.delete_cookie(COOKIE, path=BACK)
    return response


def _let_in(web: Web, provider: Provider, visit: Visit, attempt: Attempt) -> Response:
    provider.check_sender(visit.asked("iss"), visit.now)
    if error := visit.asked("error"):
        said = f"It says {error}." if re.fullmatch("[a-z_]{1,60}", error) else ""
        why = REFUSED.get(error, said)
        raise NotBelieved(f"{provider.oidc.name} did not sign you in. {why}".rstrip())
    if not (code := visit.asked("code")):
        raise NotBelieved(f"{provider.oidc.name} sent you back without a code")
    claims = provider.claims(code, attempt.nonce, attempt.verifier, visit.now)
    metadata = web.server.data.metadata
    try:
        admitted = metadata.identities.admit(_vouched(provider, claims), visit.now)
    except NotAdmitted as error:
        subject = str(claims.get("email", ""))[:254]
        metadata.audit.add(visit.now, "provider", "person.not-admitted", subject, {"reason": str(error)})
        raise
    _note(web, visit, admitted)
    secret = metadata.sessions.begin(admitted.account.id, visit.now, web.chance)
    if attempt.replay and attempt.replay_to:
        return signed_in_again(web, visit, secret, attempt.replay, attempt.replay_to)
    return keep_session(go(attempt.next), secret, visit)


def _vouched(provider: Provider, claims: Mapping[str, Any]) -> Vouched:
    oidc, email = provider.oidc, claims.get("email")
    # Some say "true" where the specification has true.
    verified = claims.get("email_verified") in (True, "true") and isinstance(email, str)
    address = str(email).strip() if verified else ""
    names = [claims.get(each) for each in ("name", "preferred_username")]
    name = next((found for each in names if isinstance(each, str) and (found := _one_line(each))), address)
    role = oidc.role_of(claims)
    return Vouched(oidc.issuer, claims["sub"], address, name[:MAX_NAME], role, decides=bool(oidc.role_claim))


def _one_line(text: str) -> str:
    return "".join(each for each in text if unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp")).strip()


def _note(web: Web, visit: Visit, admitted: Admitted) -> None:
    audit, account = web.server.data.metadata.audit, admitted.account
    said = {"email": account.email, "role": account.role.value}
    if admitted.made:
        audit.add(visit.now, "provider", "person.added", account.id, said)
    elif admitted.linked:
        audit.add(visit.now, "provider", "person.linked", account.id, said)
    if admitted.role_before is not None:
        audit.add(visit.now, "provider", "person.role", account.id, {"role": account.role.value})
    audit.add(visit.now, account.id, "person.signed-in", account.id, {"by": "provider"})


def _form(attempt: Attempt, error: UserError) -> SignIn:
    return SignIn(error=_sentence(error), next=attempt.next, replay=attempt.replay, replay_to=attempt.replay_to)


def _sentence(error: UserError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
