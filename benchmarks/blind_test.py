"""Judge layers of the corpus anew, a faulty one until its first violation, and diagnose them.

Exit code 1: a layer gave no answer, a correct one violates something, or a faulty one nothing.
"""

import argparse
import fnmatch
import sys

from pool import answers, prepare

DOMAIN = ("ND", "MASK", "TYPE", "SYNC")  # where layers that declare a domain are wrong, if anywhere


def judge(folder: str, name: str, profile: str, seeds: list[int]) -> tuple[list[str], str]:
    """Return what is violated first with each seed, or "conforms", and the diagnosis."""
    prepare()
    import corpus
    from conformance.diagnosis import diagnose
    from conformance.engine.budget import budget
    from conformance.engine.judge import judge_requirement
    from conformance.properties.support.subject import Subject
    from conformance.requirements import REQUIREMENTS, select

    layer = corpus.implementation_of(name, corpus.layers(folder)[name])
    allowed = corpus.VERDICTS["correct"].get(name, {}).get("violates", ())
    rows = [row for row in select(REQUIREMENTS) if row.id not in allowed]
    rows.sort(key=lambda row: layer.wider is not None and row.family not in DOMAIN)
    subject, found = Subject(layer), []
    for seed in seeds:
        given = budget(profile, seed=seed, minimize=False)
        verdicts = (judge_requirement(row, subject, given) for row in rows)
        found.append(next((v.requirement for v in verdicts if v.outcome.bad), "conforms"))
    answer = diagnose(layer).to_json()
    return found, f"{answer['kind']} {answer.get('id', '')}"


if __name__ == "__main__":
    import corpus

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*", help="such as 'faulty.first.affine.*'")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    names = [(f, name) for f in ("correct", "faulty") for name in corpus.layers(f)]
    chosen = [pair for pair in names if fnmatch.fnmatch(".".join(pair), given.pattern)]
    tasks = [(pair, (judge, (*pair, given.profile, given.seeds))) for pair in chosen]
    wrong = 0
    for (folder, name), answer in answers(tasks, given.jobs):
        found, diagnosed = answer.value or ([answer.lost], "")
        bad = answer.lost or any((v == "conforms") != (folder == "correct") for v in found)
        wrong += bool(bad) and name not in corpus.VERDICTS["outside"]
        print(f"{folder}.{name}: {', '.join(found)}; {diagnosed}", flush=True)
    print(f"{len(chosen)} judged, {wrong} of them not as they should be")
    sys.exit(wrong > 0)
