"""The accounts of one place's SMB server.

Samba's own database has the passwords' hashes and nothing else has them. A password that we make
is derived from a secret beside that database and the account's salt, so a second share of the
same owner can tell its user the same password, although nobody has stored it.
"""

import base64
import hmac
import secrets
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from roadstead.drivers.export.samba.conf import GROUP_TEXT, passwd_text
from roadstead.process.files import write_durably

_FIRST_UID = 100_000


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user. `given` proves a password that we did not make; `ready`: Samba knows it."""

    uid: int
    owner: str
    salt: str
    given: str = ""
    ready: bool = False


class Accounts:
    """Users of one server; its passwd file is what the server and Samba's tools see."""

    def __init__(self, state: Path) -> None:
        self._file = state / "accounts.json"
        self._secret = state / "private" / "secret"
        self.passwd = state / "passwd"
        self.group = state / "group"

    def all(self) -> dict[str, Account]:
        """Every account by name."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Account])
        except FileNotFoundError:
            return {}

    def ensure_files(self) -> None:
        """The server can start: its secret and its passwd file are there."""
        if not self._secret.exists():
            write_durably(self._secret, secrets.token_hex(32), mode=0o600)
        write_durably(self.group, GROUP_TEXT)
        self._write(self.all())

    def is_taken(self, name: str, owner: str) -> bool:
        """Whether the name is somebody else's."""
        found = self.all().get(name)
        return found is not None and found.owner != owner

    def ensure(
        self, name: str, owner: str, given: str | None, store: Callable[[str, str], None]
    ) -> str | None:
        """The account's password, which `store` has put into Samba's database if it was new;
        None when it was given by another rule. The name is not somebody else's."""
        known = self.all()
        before = known.get(name)
        account = before or Account(
            uid=max([_FIRST_UID, *(a.uid for a in known.values())]) + 1,
            owner=owner,
            salt=secrets.token_hex(16),
        )
        if given is not None and given != self._derived(name, account):
            proof = self._digest("given", account.salt, given).hex()
            if account.given != proof:
                account = msgspec.structs.replace(account, given=proof, ready=False)
        elif given is not None or not account.given:
            ready = account.ready and not account.given
            account = msgspec.structs.replace(account, given="", ready=ready)
        password = given or (None if account.given else self._derived(name, account))
        if account != before or not account.ready:  # a killed call may have written a part
            self._write(known | {name: account})
        if not account.ready and password is not None:
            store(name, password)
            self._write(known | {name: msgspec.structs.replace(account, ready=True)})
        return password

    def password(self, name: str) -> str:
        """The password that we made for the user; one that opens nothing when there is none."""
        found = self.all().get(name)
        return self._derived(name, found) if found else secrets.token_urlsafe(24)

    def retain(self, names: Collection[str], remove: Callable[[str], None]) -> None:
        """No other accounts are left; `remove` takes one out of Samba's database."""
        known = self.all()
        gone = known.keys() - set(names)
        for name in gone:
            remove(name)
        if gone:
            self._write({name: known[name] for name in known.keys() - gone})

    def _derived(self, name: str, account: Account) -> str:
        digest = self._digest("password", account.salt, name)
        return base64.b32encode(digest[:20]).decode().lower()

    def _digest(self, *words: str) -> bytes:
        key = self._secret.read_bytes()
        return hmac.digest(key, "\0".join(words).encode(), "sha256")

    def _write(self, accounts: dict[str, Account]) -> None:
        accounts = dict(sorted(accounts.items()))
        write_durably(self._file, msgspec.json.format(msgspec.json.encode(accounts)).decode())
        text = passwd_text({name: account.uid for name, account in accounts.items()})
        if self.passwd.exists() and self.passwd.read_text() == text:
            return
        # nss_wrapper reads a file again when its time has changed, in whole seconds.
        then = int(self.passwd.stat().st_mtime) if self.passwd.exists() else 0
        write_durably(self.passwd, text, modified_at=then + 1)
