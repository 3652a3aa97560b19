"""A standing campaign of random problems against a judge that shares no code with the library.

python benchmarks/campaign.py [--family linear split ...] [--first 0] [--count 200] [--jobs 1] [--out FILE.jsonl]
python benchmarks/campaign.py --family classes --proof-budget 0.1 --count 2000
python benchmarks/campaign.py --one split 17 [--scripts FOLDER]
"""

import os
import sys

from measure import ONE_THREAD

os.environ.update(ONE_THREAD)

import argparse  # noqa: E402
import collections  # noqa: E402
import json  # noqa: E402
import multiprocessing  # noqa: E402
import queue  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
import warnings  # noqa: E402
from concurrent.futures import ThreadPoolExecutor, as_completed  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from pathlib import Path  # noqa: E402

from campaign_encoders import judge_region, judge_universal  # noqa: E402
from campaign_judge import Findings, judge_result  # noqa: E402
from campaign_laws import judge_law, law_problem_of, several_laws_of  # noqa: E402
from campaign_problems import FAMILIES as OF_LOSSES  # noqa: E402
from campaign_problems import problem_of as problem_of_losses  # noqa: E402
from campaign_scripts import write_script  # noqa: E402
from tables import table  # noqa: E402
from tqdm import tqdm  # noqa: E402

import rdcsolve as rdc  # noqa: E402

OF_LAWS = {"perception": law_problem_of, "laws": several_laws_of}
FAMILIES = (*OF_LOSSES, *OF_LAWS)
LIMIT = 60.0  # CPU seconds for one problem
BUDGET = 10.0  # CPU seconds for the proof by cells of one problem, as `solve` has it
_PATIENCE = 4.0  # wall seconds for one of CPU time, and what a judge may take for one that a solver may
_START = 120.0  # wall seconds to load everything


class TimeUp(BaseException):
    """The limit on the time was reached; not an Exception, so that nobody takes it for one of theirs."""


@contextmanager
def alarm(seconds: float):
    """Raise `TimeUp` after so many CPU seconds."""

    def stop(*_):
        raise TimeUp

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# --------------------------------------------------------------------------------- one problem


def problem_of(family: str, seed: int):
    """Return the problem of a family and a seed."""
    return OF_LAWS[family](seed) if family in OF_LAWS else problem_of_losses(family, seed)


def outcome(family: str, seed: int, limit: float = LIMIT, budget: float = BUDGET) -> dict:
    """Return the record of one problem: what the library answered, and what the judge found."""
    stated, findings = problem_of(family, seed), Findings()
    record = {"family": family, "seed": seed, "objective": stated.objective, "status": "", "proof": ""}
    started = time.process_time()
    answer = _answered(stated, findings, limit, budget)
    record["seconds"] = round(time.process_time() - started, 4)
    if answer is not None:
        problem, found = answer
        if family != "region":
            record |= {"status": found.status.name, "proof": found.proof.name}
        _judged(stated, problem, found, findings, limit)
    record["judge_seconds"] = round(time.process_time() - started - record["seconds"], 4)
    return record | {"errors": findings.errors, "notes": findings.notes}


def _answered(stated, findings: Findings, limit: float, budget: float):
    """Return the problem and the library's answer, warnings being errors; None if there was no answer."""
    try:
        with alarm(limit), warnings.catch_warnings():
            warnings.simplefilter("error")
            problem = stated.problem()
            if stated.family == "region":
                return problem, rdc.achievable_region(stated.encoder, problem, stated.pair)
            if stated.family == "universal":
                return problem, rdc.universal_rate(problem, list(stated.targets))
            return problem, rdc.solve(problem, proof_budget=budget)
    except TimeUp:
        findings.error("hang", f"no answer after {limit:.0f} s", limit)
    except Exception as error:
        kind = "warning" if isinstance(error, Warning) else "exception"
        findings.error(kind, f"{type(error).__name__}: {error} ({_place(error)})"[:400])
    return None


def _judged(stated, problem, found, findings: Findings, limit: float) -> None:
    """Let the judge look at an answer; what the library raises while it is checked or saved is an error too."""
    try:
        with alarm(_PATIENCE * limit), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if stated.family == "region":
                judge_region(stated, found, findings)
            elif stated.family == "universal":
                judge_universal(stated, problem, found, findings)
            elif stated.family in OF_LAWS:
                judge_law(stated, problem, found, findings)
            else:
                judge_result(stated, found, findings)
    except TimeUp:
        findings.error("check_hang", f"the checks took more than {_PATIENCE * limit:.0f} s")
    except Exception as error:
        kind = "check_exception" if "rdcsolve" in _place(error) else "judge"
        findings.error(kind, f"{type(error).__name__}: {error} ({_place(error)})"[:400])


def _place(error: BaseException) -> str:
    """Return where an error was raised, as folder/file:line in function."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "rdcsolve" in frame.filename]
    frame = ours[-1] if ours else last
    package = "rdcsolve" if ours else "benchmarks"
    return f"{package}, {'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} in {frame.name}"


# --------------------------------------------------------------------------------- many problems


class Worker:
    """A process that does one problem after the other, and is replaced when it does not answer."""

    def __init__(self, limit: float, budget: float) -> None:
        self.limit, self.budget = limit, budget
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.limit, self.budget), daemon=True)
        self.process.start()
        other.close()
        self._expect(_START)

    def _expect(self, seconds: float):
        if not self.pipe.poll(seconds):
            raise TimeoutError
        return self.pipe.recv()

    def done(self, family: str, seed: int) -> dict:
        """Return the record of a problem, also if the process hangs or dies over it."""
        try:
            self.pipe.send((family, seed))
            return self._expect((1 + _PATIENCE) * _PATIENCE * self.limit)
        except (TimeoutError, EOFError, OSError) as error:
            kind, words = "hang" if isinstance(error, TimeoutError) else "crash", repr(error)
        self.stop()
        self._start()
        return lost(family, seed, kind, words)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def serve(pipe, limit: float, budget: float) -> None:
    """Answer problems until the pipe closes: what a worker process runs."""
    pipe.send("ready")
    while True:
        try:
            family, seed = pipe.recv()
        except EOFError:
            return
        pipe.send(outcome(family, seed, limit, budget))


def lost(family: str, seed: int, kind: str, words: str) -> dict:
    """Return the record of a problem whose process had to be ended."""
    errors = [{"kind": kind, "detail": f"the process was ended: {words}", "amount": None}]
    record = {"family": family, "seed": seed, "objective": "", "status": "", "proof": "", "seconds": 0.0}
    return record | {"judge_seconds": 0.0, "errors": errors, "notes": []}


def run_all(wanted, jobs: int, limit: float, budget: float, path) -> list[dict]:
    """Do the problems on some workers, and append their records to the file as they come."""
    workers: queue.SimpleQueue = queue.SimpleQueue()
    for _ in range(min(jobs, len(wanted))):
        workers.put(Worker(limit, budget))
    records, writing = [], threading.Lock()

    def one(family, seed):
        worker = workers.get()
        try:
            return worker.done(family, seed)
        finally:
            workers.put(worker)

    with ThreadPoolExecutor(max(1, jobs)) as pool, open(path, "a", encoding="utf-8") as file:
        pending = [pool.submit(one, *each) for each in wanted]
        for future in tqdm(as_completed(pending), total=len(pending), unit="problem", mininterval=1.0):
            records.append(future.result())
            with writing:
                file.write(json.dumps(records[-1]) + "\n")
                file.flush()
    while not workers.empty():
        workers.get().stop()
    return records


def held(path) -> list[dict]:
    """Return the records in a file; a line that was cut off is left out."""
    if path == os.devnull or not Path(path).exists():
        return []
    records = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


# --------------------------------------------------------------------------------- what came out


def summary(records) -> None:
    """Print a table of the families, and one of the errors."""
    rows = []
    for family in FAMILIES:
        own = [record for record in records if record["family"] == family]
        if own:
            rows.append(_row(family, own))
    head = ["family", "problems", "with errors", "statuses", "proofs", "notes", "CPU s", "longest", "judge s"]
    table(head, rows)
    kinds = collections.Counter((record["family"], kind) for record in records for kind in kinds_of(record))
    if kinds:
        print()
        table(
            ["family", "error", "problems", "seeds"], [_error_row(records, *key, n) for key, n in sorted(kinds.items())]
        )


def kinds_of(record: dict) -> set[str]:
    """Return the kinds of errors of a record."""
    return {error["kind"] for error in record["errors"]}


def _row(family: str, records) -> list[str]:
    seconds = [record["seconds"] for record in records]
    return [
        family,
        str(len(records)),
        str(sum(bool(record["errors"]) for record in records)),
        _shares([record["status"] for record in records if record["status"]]),
        _shares([record["proof"] for record in records if record["proof"]]),
        _shares([note for record in records for note in set(record["notes"])]),
        f"{sum(seconds):.1f}",
        f"{max(seconds):.1f}",
        f"{sum(record['judge_seconds'] for record in records):.1f}",
    ]


def _shares(words) -> str:
    return ", ".join(f"{word} {count}" for word, count in collections.Counter(words).most_common())


def _error_row(records, family: str, kind: str, count: int) -> list[str]:
    seeds = [record["seed"] for record in records if record["family"] == family and kind in kinds_of(record)]
    return [family, kind, str(count), " ".join(map(str, sorted(seeds)[:8]))]


def show_one(family: str, seed: int, limit: float, budget: float, folder: str) -> dict:
    """Do one problem in this process, print its record, and write a script that states it."""
    record = outcome(family, seed, limit, budget)
    print(json.dumps(record, indent=1))
    print(f"written to {write_script(problem_of(family, seed), record, folder)}")
    return record


def main():
    """Run the campaign; the exit code is 1 if there is any error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=20, help="how many problems of each family")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--limit", type=float, default=LIMIT, help="CPU seconds for one problem")
    parser.add_argument("--proof-budget", type=float, default=BUDGET, help="CPU seconds for the proof of one problem")
    parser.add_argument(
        "--out", default=os.devnull, help="one line of JSON per problem; those in the file are not repeated"
    )
    parser.add_argument("--one", nargs=2, metavar=("FAMILY", "SEED"), help="do one problem and say everything")
    parser.add_argument("--scripts", default=".", help="where --one writes a script that states the problem")
    options = parser.parse_args()
    if options.one:
        record = show_one(options.one[0], int(options.one[1]), options.limit, options.proof_budget, options.scripts)
        sys.exit(1 if record["errors"] else 0)
    seeds = range(options.first, options.first + options.count)
    asked = [(family, seed) for family in options.family for seed in seeds]
    known = {(record["family"], record["seed"]): record for record in held(options.out)}
    wanted = [each for each in asked if each not in known]
    new = run_all(wanted, options.jobs, options.limit, options.proof_budget, options.out) if wanted else []
    records = [known[each] for each in asked if each in known] + new
    summary(records)
    sys.exit(1 if any(record["errors"] for record in records) else 0)


if __name__ == "__main__":
    main()
