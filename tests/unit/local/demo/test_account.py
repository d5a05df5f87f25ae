"""The demo's account of every notification."""

from deploy.local.demo.account import Account


def test_an_account_is_complete_once_everybody_got_their_own() -> None:
    account = Account(published={"1": "ann", "2": "bob"}, stored={"1", "2"}, acknowledged={"1", "2"})
    account.received("1", "ann", is_live=True)
    assert account.unaccounted == {"2"}
    account.received("2", "bob", is_live=False)
    assert account.is_complete()
    account.received("2", "bob", is_live=False)
    assert account.is_complete()
    assert account.duplicates == 1
    account.received("3", "ann", is_live=True)
    assert account.unaccounted == {"3"}
    account.received("1", "bob", is_live=True)
    assert account.unaccounted == {"1", "3"}
