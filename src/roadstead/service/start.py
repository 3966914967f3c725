"""The service of a process, made from its configuration."""

import datetime
from pathlib import Path

from roadstead.config.load import network_pools
from roadstead.config.sections import Config
from roadstead.engine.dbos import DbosEngine
from roadstead.service.context import Service
from roadstead.store.db import Database
from roadstead.store.secrets import SecretBox


def make_service(config: Config) -> Service:
    """What the handlers work with, as configured; nothing is connected yet."""
    return Service(
        db=Database(config.database, pool_size=config.api.threads),
        engine=DbosEngine(config.database, config.run_directory),
        default_share_type=config.default_share_type,
        protocols=config.protocols,
        isolated_projects=frozenset(
            project for project, own in config.projects.items() if own.require_network_isolation
        ),
        permitted_cidrs={
            project: own.permitted_cidrs
            for project, own in config.projects.items()
            if own.permitted_cidrs
        },
        default_limits=config.quota,
        refuse_any_address=config.refuse_any_address,
        attachments_per_project=config.attachments_per_project,
        keep_messages=datetime.timedelta(days=config.message_days),
        networks=network_pools(config),
        secrets=SecretBox(Path(config.secrets_file)),
    )
