"""The file that says by which provider people sign in."""

from __future__ import annotations

from pathlib import Path

import pytest

from afterword.errors import UserError
from afterword.interfaces.oidc.settings import SECRET_VARIABLE, read_oidc

LEAST = 'issuer = "https://id.example.com/realm"\nclient_id = "afterword"\naddress = "https://aw.example.com/"\n'


def written(path: Path, text: str) -> Path:
    (path / "oidc.toml").write_text(text, "utf-8")
    return path / "oidc.toml"


def test_the_least_that_a_file_must_say(tmp_path: Path) -> None:
    found = read_oidc(written(tmp_path, LEAST), {})
    assert found is not None
    assert (found.name, found.back, found.client_secret) == (
        "id.example.com",
        "https://aw.example.com/sign-in/back",
        "",
    )
    assert (found.passwords, found.role_of({"groups": "x"})) == (True, None)
    assert read_oidc(None, {}) is None


def test_the_secret_comes_from_the_environment_a_file_of_its_own_or_the_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of its own\n")
    for line, environment, secret in (
        ('client_secret = "in it"', {}, "in it"),
        ('client_secret_file = "secret"', {}, "of its own"),
        ('client_secret_file = "secret"', {SECRET_VARIABLE: "environment"}, "environment"),
    ):
        found = read_oidc(written(tmp_path, LEAST + line), environment)
        assert found is not None
        assert found.client_secret == secret
        assert secret not in repr(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x", "is no TOML"),
        ("", "issuer is missing"),
        (LEAST + 'isuer = "x"', 'unknown setting "isuer", did you mean "issuer"?'),
        (LEAST + "client_secret = 5", "client_secret must be text"),
        (LEAST + 'passwords = "no"', "passwords must be true or false"),
        (LEAST + 'client_secret = "a"\nclient_secret_file = "b"', "are both there: leave one out"),
        (LEAST + 'client_secret_file = "b"', "client_secret_file .*b cannot be read"),
        (LEAST + 'default_role = "boss"', 'unknown role "boss"'),
        (LEAST + 'role_claim = "groups"', "belong together"),
        (LEAST + '[roles]\nstaff = "viewer"', "belong together"),
        (LEAST + 'role_claim = "groups"\n[roles]\nstaff = "viwer"', 'unknown role "viwer"'),
        (LEAST + 'scope = "email"', 'scope must contain "openid"'),
        (LEAST.replace("https://id", "http://id"), "issuer is http://id.* must begin with https://"),
        (LEAST.replace("https://aw.example.com/", "aw.example.com"), "address is .* must be an address such as"),
        (LEAST.replace("example.com/", "example.com/afterword"), "must end with the host"),
        (LEAST.replace("realm", "realm?x"), "must have no part after"),
    ],
)
def test_what_cannot_be_is_a_sentence_that_names_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        read_oidc(written(tmp_path, text), {})
    assert "oidc.toml" in str(caught.value)
