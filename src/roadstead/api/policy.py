"""May this caller do that? oslo.policy, with our defaults and the operator's file over them."""

import os
from pathlib import Path
from typing import Any

import structlog
from oslo_config import cfg
from oslo_policy import _checks, policy

from roadstead.api.auth import Identity
from roadstead.api.policies import RULES
from roadstead.model.errors import ConfigError

_log = structlog.get_logger(__name__)
_MOST_REMEMBERED = 100_000


class Policy:
    """The rules; a rule nobody knows admits nobody. A changed file holds from the next request on;
    a broken new one is logged and changes nothing."""

    def __init__(self, policy_file: Path | None = None) -> None:
        """Raises ConfigError when the file is missing or wrong."""
        self._file = policy_file
        self._stamp = _stamp(policy_file)
        self._load()

    def _load(self) -> None:
        try:
            self._enforcer = _enforcer(self._file)
        except Exception as error:  # the parser's errors are of many kinds
            raise ConfigError(f"policy file {self._file}: {error}") from error
        # oslo.policy takes 100 µs to decide; the same identity asks the same again and again.
        self._decided: dict[tuple[Identity, str], bool] = {}

    def allows(self, identity: Identity, rule: str) -> bool:
        """True when the rule admits the identity, acting on its own project."""
        if self._file is not None and (stamp := _stamp(self._file)) != self._stamp:
            self._stamp = stamp
            try:
                self._load()
            except ConfigError as error:
                _log.error("policy file not loaded, the old rules hold", error=str(error))
        decided = self._decided
        known = decided.get((identity, rule))
        if known is None:
            subject: dict[str, Any] = {
                "project_id": identity.project_id,
                "user_id": identity.user_id,
            }
            creds = {**subject, "roles": list(identity.roles)}
            known = bool(self._enforcer.enforce(rule, subject, creds))
            if len(decided) >= _MOST_REMEMBERED:
                decided.clear()
            decided[identity, rule] = known
        return known


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """What changes with the file's contents; None when there is no file."""
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_ino)


def _enforcer(path: Path | None) -> policy.Enforcer:
    """Our defaults with the file's rules over them."""
    texts: dict[str, Any] = dict(RULES)
    if path is not None:
        texts |= policy.parse_file_contents(path.read_text())
    conf = cfg.ConfigOpts()
    conf([], project="roadstead", default_config_files=[], default_config_dirs=[])
    if path is None:
        # Without a file no rule asks a remote server, and the plugins that could, with an HTTP
        # library of 3.5 MB, need not be loaded.
        _checks.extension_checks = {}
    enforcer = policy.Enforcer(conf, rules=policy.Rules.from_dict(texts), use_conf=False)
    enforcer.check_rules(raise_on_violation=True)
    return enforcer
