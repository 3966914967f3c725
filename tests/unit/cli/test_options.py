"""Options of all commands: before the name or after it, what they print, and how commands end."""

import json
import subprocess
import sys

import pytest
import yaml

from tests.unit.cli.serving import serving, typed


@pytest.mark.parametrize(
    "argv",
    [
        ("-f", "json", "operations"),
        ("--json", "operations"),
        ("operations", "--format", "json"),
        ("operations", "--json"),
        ("-f", "value", "operations", "-f", "json"),
    ],
)
def test_before_the_command_or_after_it(run, photos, argv):
    status, text = run(*argv)
    assert status == 0
    assert json.loads(text)[0]["share_id"] == photos.id


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("-c", "verb", "-c", "share_id"), "verb          share_id\nshare.create  {}\n"),
        (("-f", "value", "-c", "verb", "-c", "error"), "share.create None\n"),
        (("-f", "yaml", "-c", "share_id"), "- share_id: {}\n"),
        (("-f", "json", "-c", "share_id"), '[\n  {{\n    "share_id": "{}"\n  }}\n]\n'),
        (("-c", "steps_done", "-f", "value"), "pool,export\n"),
    ],
)
def test_columns_of_a_list(run, photos, argv, told):
    assert run("operations", *argv) == (0, told.format(photos.id))


def test_columns_of_one_thing(run, photos):
    assert run("explain", "photos", "-c", "road", "-c", "verdict", "-f", "value") == (
        0, "direct\nNone\n",
    )  # fmt: skip
    status, text = run("explain", "photos", "-c", "road")
    assert (status, text.split()) == (0, ["road", "direct"])
    assert yaml.safe_load(run("explain", "photos", "-f", "yaml")[1])["share_id"] == photos.id


def test_a_column_that_is_not_there(run, photos):
    status, text = run("operations", "-c", "colour")
    assert status == 2
    assert "there is no 'colour'" in text
    assert "share_id" in text


def test_no_id_is_folded_or_cut_in_a_narrow_window(run, photos, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    assert photos.id in run("operations")[1]


@pytest.mark.parametrize(
    "argv",
    [
        ("--state", "/here", "config", "--effective"),
        ("config", "--effective", "--state", "/here"),
        ("--state", "/there", "config", "--effective", "--state", "/here"),
    ],
)
def test_state_before_the_command_or_after_it(argv):
    status, text = typed({}, *argv)
    assert status == 0
    assert 'state_directory = "/here"' in text.splitlines()


def test_a_wrong_configuration_is_one_line(tmp_path):
    wrong = tmp_path / "wrong.toml"
    for text, told in (("[api]\nprt = 1", "api.prt: no such key"), ("x = [", "Invalid value")):
        wrong.write_text(text)
        status, out = typed({}, "drift", "--config", str(wrong))
        assert (status, out.count("\n")) == (1, 1)
        assert told in out
    missing = tmp_path / "missing.toml"
    told = f"roadstead: {missing}: No such file or directory\n"
    assert typed({}, "--config", str(missing), "down") == (1, told)


def test_what_the_system_refuses_is_one_line(tmp_path):
    (tmp_path / "roadstead.toml").write_text(f'[api]\nusers_file = "{tmp_path}"\n')
    status, text = typed({}, "users", "list", "--state", str(tmp_path))
    assert (status, text) == (1, f"roadstead: {tmp_path}: Is a directory\n")


def test_users(tmp_path):
    (tmp_path / "etc").mkdir()
    assert typed({}, "users", "add", "eva", "--role", "reader", "--state", str(tmp_path))[0] == 0
    status, text = typed({}, "users", "add", "eva", "--state", str(tmp_path))
    assert (status, text) == (1, "roadstead: there is a user 'eva' already\n")
    (found,) = json.loads(typed({}, "users", "list", "--json", "--state", str(tmp_path))[1])
    assert (found["name"], found["roles"]) == ("eva", ["reader"])


# --- an API that does not answer as it should -----------------------------------------------------


def _of(url: str) -> dict[str, str]:
    return {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": url}


def test_nobody_answers():
    status, text = typed(_of("http://127.0.0.1:9/v2"), "drift")
    assert status == 1
    assert text == (
        "roadstead: http://127.0.0.1:9 does not answer: nobody listens there "
        "(is `roadstead up` running?)\n"
    )


@pytest.mark.parametrize(
    ("answer", "body", "told"),
    [
        ("200 OK", b"<html>", "is not Roadstead"),
        ("404 Not Found", b"", "no reason given (404)"),
        ("502 Bad Gateway", b"<h1>nginx</h1>", "<h1>nginx</h1> (502)"),
        ("401 Unauthorized", b'{"message": "who?"}', "who? (401): asked with the OS_… variables"),
    ],
)
def test_somebody_else_answers(answer, body, told):
    def handler(_environ, start_response):
        start_response(answer, [("Content-Type", "text/html")])
        return [body]

    with serving(handler) as url:
        status, text = typed(_of(url), "drift")
    assert (status, text.count("\n")) == (1, 1)
    assert told in text


def test_up_loads_nothing_of_this():
    """What `roadstead up` imports before it replaces itself."""
    code = "import sys, roadstead.cli.main; print([m for m in sys.argv[1:] if m in sys.modules])"
    names = ("rich.table", "requests", "yaml", "roadstead.cli.client", "http.client", "openstack")
    done = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
