"""The unmodified openstackclient, manilaclient and openstacksdk against live servers."""
