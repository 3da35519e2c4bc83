"""Runs WLCS in several processes at once and adds up; see scripts/wlcs.

A process runs a batch of tests. When it dies or hangs, the test it was at has failed, and the rest of its batch is run by a
new one: one bad test costs only itself.
"""

import argparse
import fnmatch
import os
import pathlib
import queue
import re
import subprocess
import sys
import threading
import time

# Tests that need these are not counted: nobody speaks them any more.
DEAD = {"wl_shell", "zxdg_shell_v6", "zwp_text_input_manager_v2", "gtk_primary_selection_device_manager"}
# How many are left in WLCS 1.7.0.
IN_SCOPE = 871
# A test that says nothing for so long hangs. The suite's own waits end after ten seconds.
HANGS = 60
BATCH = 24

RUN = re.compile(r"\[ RUN      \] (\S+)")
END = re.compile(r"\[(       OK |  FAILED  |     SKIP )\] (\S+?)(?:,| \()")
MISSING = re.compile(r"\[          \] Missing extension: (\w+)")
SUMMARY = re.compile(r"^\[----------\] Global test environment tear-down")


class Result:
    """What became of one test."""

    def __init__(self, name):
        self.name = name
        self.what = "crashed"
        self.missing = None
        self.lines = []
        self.started = time.monotonic()
        self.took = 0.0

    @property
    def in_scope(self):
        # The suite tests how it skips, too.
        own = self.name.startswith("SelfTest.")
        return not (self.what == "skipped" and (own or self.missing in DEAD))

    @property
    def bad(self):
        return self.what not in ("passed", "skipped")


class Wlcs:
    """The suite and the library that it loads."""

    def __init__(self, root, library):
        loaders = sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
        if not loaders:
            sys.exit(f"wlcs: {root} has no dynamic loader in it: remove it and run scripts/wlcs again")
        libraries = loaders[0].parent
        self.command = [str(loaders[0]), "--library-path", str(libraries), str(libraries / "wlcs/wlcs"), str(library)]

    def names(self):
        listed = subprocess.run(self.command + ["--gtest_list_tests"], capture_output=True, text=True, timeout=HANGS)
        names, suite = [], ""
        for line in listed.stdout.splitlines():
            word = line.split("#")[0].strip()
            if not line.startswith(" "):
                suite = word
            elif "DISABLED_" not in suite + word:
                names.append(suite + word)
        if not names:
            sys.exit(f"wlcs: the suite lists no tests: {listed.stdout}{listed.stderr}")
        return names

    def run(self, names):
        """Runs these in one process; returns the results of those that it came to."""
        child = subprocess.Popen(
            self.command + ["--gtest_color=no", "--gtest_filter=" + ":".join(names)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
        )
        results, current, hung = [], None, threading.Event()

        def kill():
            hung.set()
            child.kill()

        watchdog = threading.Timer(HANGS, kill)
        watchdog.start()
        for line in child.stdout:
            if SUMMARY.match(line):
                break
            if run := RUN.search(line):
                watchdog.cancel()
                watchdog = threading.Timer(HANGS, kill)
                watchdog.start()
                current = Result(run[1])
                results.append(current)
            if current is None:
                continue
            current.lines.append(line)
            if missing := MISSING.search(line):
                current.missing = missing[1]
            if (end := END.search(line)) and end[2] == current.name:
                current.what = {"OK": "passed", "FAILED": "failed", "SKIP": "skipped"}[end[1].strip()]
                current.took = time.monotonic() - current.started
                current = None
        for _ in child.stdout:
            pass
        status = child.wait()
        watchdog.cancel()
        if current:
            current.what = "hung" if hung.is_set() else "crashed"
            current.took = time.monotonic() - current.started
            current.lines.append(f"(the process ended with {status})\n")
        return results


def run_all(wlcs, names, jobs):
    """Runs all of them, `jobs` processes at a time."""
    batches = queue.SimpleQueue()
    for at in range(0, len(names), BATCH):
        batches.put(names[at : at + BATCH])
    results, lock = {}, threading.Lock()

    def work():
        while True:
            try:
                batch = batches.get_nowait()
            except queue.Empty:
                return
            while batch:
                done = wlcs.run(batch)
                if not done:
                    # It did not even begin: the first of them is to blame, so that this ends.
                    done = [Result(batch[0])]
                with lock:
                    results.update((r.name, r) for r in done)
                batch = [n for n in batch if n not in results]

    workers = [threading.Thread(target=work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [results[n] for n in names]


def read_expected(path):
    """`name reason` in each line; # begins a remark."""
    expected = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip():
            sys.exit(f"wlcs: {path}:{number}: {name} is expected to fail without a reason")
        expected[name] = reason.strip()
    return expected


def chosen(names, patterns):
    if not patterns:
        return names
    patterns = [p if "*" in p else f"*{p}*" for p in patterns]
    return [n for n in names if any(fnmatch.fnmatchcase(n, p) for p in patterns)]


def tell(result, whole):
    print(f"{result.what}: {result.name}")
    lines = [line for line in result.lines if line.strip()]
    if not whole:
        # What the suite's mocks have to say before the first failure is no news.
        first = next((at for at, line in enumerate(lines) if line.rstrip().endswith("Failure")), len(lines) - 6)
        lines = lines[max(0, first) :][:8]
    sys.stdout.writelines("    " + line for line in lines)


def write_table(path, results, expected):
    """What is in the documentation: one line for each suite, then what fails and why. No times: the same results, the same text."""
    suites = {}
    for result in results:
        # `Variant/Suite.test/3`: the variants of a suite go together.
        suite = result.name.split(".")[0].split("/")[-1]
        suites.setdefault(suite, []).append(result)
    passed = sum(r.what == "passed" for r in results)
    lines = [
        "# Wayland conformance\n",
        "<!-- Written by scripts/wlcs. -->",
        f"WLCS 1.7.0, the suite of the Mir project: {passed} of {len(results)} tests pass. Those are all that need none of",
        ", ".join(sorted(DEAD)) + ".\n",
        "| suite | passed | failed | skipped |",
        "| --- | ---: | ---: | ---: |",
    ]
    for suite, here in sorted(suites.items()):
        counts = [sum(r.what == "passed" for r in here), sum(r.bad for r in here), sum(r.what == "skipped" for r in here)]
        lines.append(f"| {suite} | " + " | ".join(map(str, counts)) + " |")
    lines += ["\n## What fails, and why\n", "| test | why |", "| --- | --- |"]
    for result in results:
        if result.bad:
            lines.append(f"| {result.name} | {expected.get(result.name, 'not known yet')} |")
    path.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(prog="scripts/wlcs")
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--expected", type=pathlib.Path, required=True)
    parser.add_argument("--report", type=pathlib.Path, required=True)
    parser.add_argument("--table", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--log", action="store_true")
    parser.add_argument("patterns", nargs="*")
    options = parser.parse_args()

    wlcs = Wlcs(options.root.resolve(), options.library.resolve())
    expected = read_expected(options.expected)
    all_names = wlcs.names()
    names = chosen(all_names, options.patterns)
    if not names:
        sys.exit("wlcs: no test has such a name")
    began = time.monotonic()
    results = [r for r in run_all(wlcs, names, max(1, options.jobs)) if r.in_scope]
    took = time.monotonic() - began

    report = options.report / "results.txt"
    report.write_text("".join(f"{r.what:8} {r.took:7.3f} {r.name}\n" for r in results))
    (options.report / "log.txt").write_text("".join("".join(r.lines) for r in results))

    if not options.patterns:
        write_table(options.table, results, expected)

    wrong = False
    for result in results:
        if result.bad and (result.name not in expected or result.what != "failed"):
            wrong = True
            tell(result, options.log)
        elif result.bad and options.log:
            tell(result, True)
        elif result.what == "passed" and result.name in expected:
            wrong = True
            print(f"passed, though it is expected to fail: {result.name}: take it out of {options.expected}")
    for name in sorted(set(expected) - set(all_names)):
        wrong = True
        print(f"{options.expected} names a test that there is not: {name}")
    missing = {}
    for result in results:
        if result.what == "skipped" and result.missing:
            missing[result.missing] = missing.get(result.missing, 0) + 1
    for extension, count in sorted(missing.items()):
        print(f"skipped: {count} that need {extension}")
    if not options.patterns and len(results) != IN_SCOPE:
        wrong = True
        print(f"{len(results)} tests need no dead protocol; they should be {IN_SCOPE}")

    def count(*what):
        return sum(r.what in what for r in results)

    known = sum(r.bad and r.name in expected for r in results)
    print(f"{took:.0f} s; every result is in {report}; {known} of the failures are expected")
    print(f"{count('passed')} passed, {count('failed', 'crashed', 'hung')} failed, {count('skipped')} skipped")
    sys.exit(1 if wrong else 0)


main()
