"""Plays the examples of python-fleet's documentation against a server.

Usage: examples.py ENDPOINT, in a directory with the foo.service that they name.

Each is typed in as it is printed, and what comes back has to be what is printed
there, but for the address, the machine's own id and address, the order of keys,
and fields that fleet does not have. The client is python-fleet where that is
installed, else the one beside this file.
"""

import ast
import contextlib
import io
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).parent
try:
    import fleet.v1
except ImportError:
    sys.path.insert(0, str(HERE / "client"))
    import fleet.v1

DOCUMENTED = ("http://127.0.0.1:49153", "http+unix://%2Fvar%2Frun%2Ffleet.sock")
OWN = {"health", "since", "source", "reason", "drift", "ignored"}  # see docs/fleet-compat.md


def examples():
    """Gives what to do before, what to type, and what is printed then."""
    todo, typed, printed = [], [], []
    for line in (HERE / "examples.txt").read_text().splitlines():
        if not line.startswith("    ") or line[4] == "#":
            continue
        mark, _, text = line[4:].partition(" ")
        if mark in (">>>", "!") and typed:
            yield todo, "\n".join(typed), printed
            todo, typed, printed = [], [], []
        if mark == "!":
            todo.append(text)
        elif mark in (">>>", "..."):
            typed.append(text)
        else:
            printed.append(line[4:])
    yield todo, "\n".join(typed), printed


def play(text, names):
    """Types something in and gives the lines that are printed."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(text + "\n", text, "single"), names)
    except Exception as e:
        module = type(e).__module__
        return [("" if module == "builtins" else module + ".") + f"{type(e).__name__}: {e}"]
    return out.getvalue().splitlines()


def meaning(line):
    """Takes a printed object apart, so that the order of its keys is no matter."""
    found = re.fullmatch(r"<(\w+): (\{.*\})>", line)
    return (found[1], ast.literal_eval(found[2])) if found else line.replace("u'", "'")


def same(printed, got):
    want, have = meaning(printed), meaning(got)
    if isinstance(want, str) or isinstance(have, str):
        return want == have
    for key, own in (("machineID", machine.id), ("id", machine.id), ("primaryIP", machine.primaryIP)):
        if key in want[1]:
            want[1][key] = own
    return want == (have[0], {k: v for k, v in have[1].items() if k in want[1] or k not in OWN})


def runs(name):
    """Waits until a unit runs."""
    deadline = time.monotonic() + 30
    while names["fleet_client"].get_unit(name).currentState != "launched":
        assert time.monotonic() < deadline, name + " never runs"
        time.sleep(0.02)


def go(todo, text, printed):
    """Plays one example, and ends the program if it does not go as printed."""
    for step in todo:
        exec(step, names)
    # The documentation looks before the unit has begun to start. Where the
    # machine was quicker than this client, that is tried anew.
    for _ in range(50):
        got = play(text, names)
        if ".create_unit(" not in text or not printed or "'currentState': 'inactive'" in got[0]:
            break
        names["fleet_client"].destroy_unit("foo.service")
    if len(printed) == 1 and "for " in text:  # of several, the one that is printed
        got = [line for line in got if same(printed[0], line)] or got
    if len(got) != len(printed) or not all(map(same, printed, got)):
        sys.exit(f">>> {text}\n" + "\n".join(got) + "\nbut documented is\n" + "\n".join(printed))
    print(f">>> {text}\n" + "\n".join(got))


endpoint = sys.argv[1]
scheme = endpoint.partition("://")[0]
machine = next(fleet.v1.Client(endpoint).list_machines())
names = {"runs": runs}
for todo, text, printed in examples():
    for documented in DOCUMENTED:
        if documented in text:
            if documented.partition("://")[0] != scheme:
                text = ""
            text = text.replace(documented, endpoint)
    if text:
        go(todo, text, printed)
names["fleet_client"].destroy_unit("foo.service")
print("client:", fleet.v1.__file__)
