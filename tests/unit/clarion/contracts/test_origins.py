"""Origins as operators write them: what a browser means by them, or a refusal at start that says what to write."""

import pytest

from clarion.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://app.example", "https://app.example"),
        ("https://app.example/", "https://app.example"),
        ("HTTPS://App.Example", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:80/", "http://app.example"),
        ("https://app.example:", "https://app.example"),
        ("https://app.example:80", "https://app.example:80"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_an_origin_is_compared_as_browsers_write_it(written: str, sent: str) -> None:
    settings = Settings.from_env({"CLARION_ENV": "dev", "CLARION_ORIGINS": f" {written} , https://b.example,{written}"})
    assert settings.origin_list == (sent, "https://b.example")


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("app.example", "https://app.example"),
        ("localhost:5173", "https://app.example"),
        ("//app.example", "https://app.example"),
        ("*", "has a wildcard"),
        ("https://*.example", "has a wildcard"),
        ("https://app.example/page", "write https://app.example"),
        ("https://App.example:8443/?a=b", "write https://app.example:8443"),
        ("https://app.example#top", "write https://app.example"),
        ("https://user:word@app.example", "https://app.example"),
        ("null", "`null`"),
        ("wss://app.example", "https://app.example"),
        ("https://app.example:99999", "port 99999"),
        ("https://", "https://app.example"),
        ("https://a b.example", "https://app.example"),
        ("https://app.example;https://b.example", "https://app.example"),
        ("https://..example.é", "not a valid host name"),
    ],
)
def test_what_is_no_origin_stops_the_start_by_name(written: str, cure: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"CLARION_ENV": "dev", "CLARION_ORIGINS": f"https://good.example,{written}"})
    assert str(refused.value).startswith("CLARION_ORIGINS: ")
    assert cure in str(refused.value)
