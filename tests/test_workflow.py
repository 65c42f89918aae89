"""The public forge's workflow: its form, its safety, and that it does what README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from book import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "book.yml"
TEXT = WORKFLOW.read_text(encoding="utf-8")


def form(*paths):
    """Return what a linter says of the form of workflows; nothing when it's right."""
    schema = ("--builtin-schema", "vendor.github-workflows")
    command = [sys.executable, "-m", "check_jsonschema", *schema, *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def safety(path):
    """Return what a security linter says of a workflow, without a network; nothing when it's safe.

    The persona `auditor` reports all that it finds.
    """
    zizmor = Path(sys.executable).with_name("zizmor")
    quiet = ("--offline", "--no-config", "--quiet", "--persona", "auditor")
    done = subprocess.run([zizmor, *quiet, path], capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.fixture
def broken(tmp_path):
    """A function that writes the workflow with `old` replaced by `new`, and returns its path."""

    def write(old, new, name="book.yml"):
        assert old in TEXT
        path = tmp_path / ".github" / "workflows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT.replace(old, new), encoding="utf-8")
        return path

    return write


def test_the_workflow_has_the_right_form():
    assert not form(WORKFLOW)


def test_the_workflow_is_safe():
    assert not safety(WORKFLOW)


def test_a_workflow_of_the_wrong_form_is_red(broken):
    said = form(
        broken("    runs-on:", "    runs_on:", "1.yml"),
        broken("  schedule:\n    - cron", "  schedule:\n    - corn", "2.yml"),
        broken("      contents: read", "      contents: some", "3.yml"),
        broken("- run: make book", "- runs: make book", "4.yml"),
    )
    assert set(re.findall(r"(\d)\.yml", said)) == set("1234"), said


@pytest.mark.parametrize(
    ("old", "new", "audit"),
    [
        ("@d23441a48e516b6c34aea4fa41551a30e30af803 # v6.1.0", "@v6", "unpinned-uses"),
        ("persist-credentials: false", "persist-credentials: true", "artipacked"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("make test #", "make test ${{ github.head_ref }} #", "template-injection"),
        ("  pull_request:", "  pull_request_target:", "dangerous-triggers"),
    ],
)
def test_an_unsafe_workflow_is_red(broken, old, new, audit):
    assert audit in safety(broken(old, new))


# ---- What it does -------------------------------------------------------------------------------


def steps(job):
    """Return what a job runs and uses, in order; an action without its hash."""
    listed = yaml.safe_load(TEXT)["jobs"][job]["steps"]
    return [step.get("run") or step["uses"].split("@")[0] for step in listed]


def test_every_job_that_is_needed_exists():
    jobs = yaml.safe_load(TEXT)["jobs"]
    for job in jobs.values():
        assert set(job.get("needs", ())) <= set(jobs)
    assert set(jobs["publish"]["needs"]) == {"test", "site"}, "publish only what is tested"


def test_it_tests_and_renders_with_quartos_own_action():
    assert steps("test")[-1] == "make test"
    site = steps("site")
    assert site.index("quarto-dev/quarto-actions/setup") < site.index("make book")
    wanted = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    quarto = next(x for x in wanted["dependencies"] if str(x).startswith("quarto>="))
    assert re.search(r"version: (\d+\.\d+)", TEXT)[1] == quarto.removeprefix("quarto>=")


def test_pages_come_from_main_and_pull_requests_get_the_site():
    jobs = yaml.safe_load(TEXT)["jobs"]
    main = "github.ref == 'refs/heads/main'"
    when = {s["uses"].split("@")[0]: s["if"] for s in jobs["site"]["steps"] if "if" in s}
    assert jobs["publish"]["if"] == when["actions/upload-pages-artifact"] == main
    assert when["actions/upload-artifact"] == "github.event_name == 'pull_request'"


def test_newest_releases_and_colabs_are_tried_each_week():
    latest = yaml.safe_load(TEXT)["jobs"]["latest"]
    assert steps("latest")[-2:] == ["make test-colab", "make test-latest"]
    assert "schedule" in latest["if"] and latest["steps"][-1]["if"] == "always()"
