"""The scripts of the CI templates, executed; installations are only recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from support.projects import NORMS
from support.sampling import exhaustive
from support.shell_steps import ROOT, Job, template

SCHEMAS = {
    ".github/workflows/ci.yml": "github-workflows",
    ".github/workflows/conformance.yml": "github-workflows",
    ".github/workflows/scheduled.yml": "github-workflows",
    "action.yml": "github-actions",
    "ci/gitlab.yml": "gitlab-ci",
}
ARGUMENTS = "-j1 -k EMA-1,EMA-2 --max-examples 5 --no-diagnosis"


def against_schema(path: Path, schema: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("check_jsonschema", reason="the schemas come with check-jsonschema")
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", path],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", SCHEMAS)
def test_templates_meet_the_schema_of_their_service(name: str, tmp_path: Path):
    """And a template with another key at its top does not."""
    done = against_schema(ROOT / name, SCHEMAS[name])
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text((ROOT / name).read_text("utf-8") + "\nnonsense:\n  - 1\n", "utf-8")
    assert against_schema(broken, SCHEMAS[name]).returncode == 1


def job(place: Path, **variables: str) -> Job:
    """Return a job in a checkout that holds a right and a wrong layer."""
    made = Job(place, ARGUMENTS=ARGUMENTS, **variables)
    (made.work / "norms.py").write_text(NORMS, encoding="utf-8")
    return made


def known(implementation: str, shard: str = "") -> dict[str, str]:
    """Return the values of the expressions in the templates."""
    inputs = {
        "implementation": implementation,
        "arguments": ARGUMENTS,
        "suite": "git+https://HOST/suite@1",
        "install": ".",
    }
    return {f"inputs.{name}": value for name, value in inputs.items()} | {
        "github.action_path": "/a path",
        "matrix.shard": shard,
    }


def test_the_action_judges_and_publishes(tmp_path: Path):
    """It ends as the run does, with every file that is uploaded, and a summary."""
    steps = template("action.yml")["runs"]["steps"]
    made = job(tmp_path)
    done = made.steps(steps, known("norms.py:swapped"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert made.read_output("installed") == "-m pip install /a path\n"
    versions = "-".join(version(name) for name in ("jax", "jaxlib", "flax"))
    assert made.read_output("output") == f"key={versions}\n"
    assert "**fails**" in made.read_output("summary")
    assert "::error file=norms.py,line=" in done.stdout
    uploaded = next(s["with"]["path"] for s in steps if "upload-artifact" in s.get("uses", ""))
    assert uploaded.split()
    for name in uploaded.split():
        assert (made.work / name).stat().st_size > 0


def test_inputs_are_no_code(tmp_path: Path):
    """A name that would be a command is a name, and leads to nothing."""
    made = job(tmp_path)
    evil = "norms.py:right; touch pwned; $(touch pwned) `touch pwned`"
    done = made.steps(template("action.yml")["runs"]["steps"], known(evil))
    assert done.returncode == 2
    assert not list(tmp_path.rglob("pwned"))


@exhaustive
def test_the_workflow_judges_shards_and_combines_them(tmp_path: Path):
    """Shards exit with 0 whatever the verdict; the last job reports and publishes it."""
    jobs = template(".github/workflows/conformance.yml")["jobs"]
    last = job(tmp_path / "report")
    for number in (1, 2):
        values = known("norms.py:swapped", f"{number}/2")
        made = job(tmp_path / str(number), SHARD=f"{number}/2", IMPLEMENTATION="norms.py:swapped")
        done = made.steps(jobs["judge"]["steps"], values)
        assert done.returncode == 0, done.stdout + done.stderr
        assert made.read_output("summary") == ""
        there = last.work / "shards" / f"conformance-shard-{number}"
        there.mkdir(parents=True)
        (made.work / "shard.json").rename(there / "shard.json")
        assert (made.work / "junit.xml").exists()
    done = last.steps(jobs["report"]["steps"], values, SUITE="s", INSTALL="")
    assert done.returncode == 1, done.stdout + done.stderr
    assert last.read_output("installed") == "-m pip install s\n"
    assert "**fails**" in last.read_output("summary")
    data = json.loads((last.work / "conformance.json").read_text("utf-8"))
    assert {v["requirement"]: v["outcome"] for v in data["verdicts"]} == {
        "BN-EMA-1": "violates",
        "BN-EMA-2": "violates",
    }
    assert {"conformance.html", "conformance.md", "conformance.svg"} <= set(files(last.work))


@exhaustive
def test_the_gitlab_template_judges_shards_and_combines_them(tmp_path: Path):
    """The same in GitLab's words; the parts are numbered by its own variables."""
    text = template("ci/gitlab.yml")
    chosen = text["variables"] | {"IMPLEMENTATION": "norms.py:right", "ARGUMENTS": ARGUMENTS}
    made = job(tmp_path)
    for number in ("1", "2"):
        script = "\n".join(text["conformance:judge"]["script"])
        done = made.run(script, **chosen, CI_NODE_INDEX=number, CI_NODE_TOTAL="2")
        assert done.returncode == 0, done.stdout + done.stderr
        assert (made.work / f"shard-{number}.json").exists()
    done = made.run("\n".join(text["conformance:report"]["script"]), **chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(text["conformance:report"]["artifacts"]["paths"]) <= set(files(made.work))
    assert json.loads((made.work / "conformance.json").read_text("utf-8"))["footer"]["complete"]
    assert json.loads((made.work / "code-quality.json").read_text("utf-8")) == []


def files(place: Path) -> list[str]:
    return [path.name for path in place.iterdir()]
