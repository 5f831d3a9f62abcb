# SPDX-License-Identifier: MIT
"""trace_json.py <program> <file> [fd] - judges what trace_program.c has left."""
import json
import sys


def load(path):
    """The events of a file that is valid by itself, whatever it tells."""
    with open(path, encoding="utf-8") as file:  # strictly UTF-8
        trace = json.load(file)
    sources = {e["id"]: e for e in trace["traceEvents"] if e["ph"] == "s"}
    last, stacks, ended, used = {}, {}, {}, set()
    for event in trace["traceEvents"]:
        track = event["tid"]
        if event["ph"] == "M":
            continue
        assert event["ph"] in "BEisf", event
        assert event["ts"] >= last.get(track, 0), f"time runs backwards: {event}"
        last[track] = event["ts"]
        stack = stacks.setdefault(track, [])
        if event["ph"] == "B":
            if event["name"] != "poll":
                assert not stack or event["cat"] == "poll", f"a run in a run: {event}"
            stack.append(event)
        elif event["ph"] == "E":
            assert stack, f"an end without a begin: {event}"
            begin = stack.pop()
            begin.setdefault("args", {}).update(event.get("args", {}))
            begin["end"] = event["ts"]
        elif event["ph"] == "s":
            assert stack or trace["otherData"]["overwritten"], f"an arrow from nowhere: {event}"
        elif event["ph"] == "f":
            assert event["id"] in sources, f"an arrow that begins nowhere: {event}"
            assert event["id"] not in used, f"two arrow heads: {event}"
            used.add(event["id"])
            assert stack and stack[-1]["ts"] == event["ts"], f"not at the begin: {event}"
            stack[-1]["cause"] = event["id"]
            ended[event["id"]] = event
    for track, stack in stacks.items():
        assert not stack, f"never ended on track {track}: {stack}"
    return trace


def runs_of(events, name):
    return [e for e in events if e["ph"] == "B" and e["name"] == name]


def instants(events, kind, name):
    return [e for e in events if e["ph"] == "i" and e["name"] == kind
            and e["args"].get("name") == name]


def cause(events, run):
    """The instant that a run was caused by: it stands before its arrow."""
    at = next(i for i, e in enumerate(events) if e["ph"] == "s" and e["id"] == run["cause"])
    return events[at - 1]


def check_sequence(trace, fd):
    events = trace["traceEvents"]

    first, second = runs_of(events, "reader")
    assert first["args"]["left"] == "fd" and first["args"]["fd"] == int(fd), first
    assert "trace_program.c:" in first["args"]["site"], first
    assert cause(events, first)["name"] == "spawn"
    assert cause(events, first)["args"]["by"] == "main"
    woken = cause(events, second)
    assert woken["name"] == "wake" and woken["args"]["by"] == "worker", woken
    assert woken["args"]["result"] == 0
    assert second["args"]["left"] == "end"

    first, second = runs_of(events, "writer")
    assert first["args"]["left"] == "sleep"
    assert second["ts"] >= first["args"]["until"], "woken early"
    timer, = instants(events, "timer", "writer")
    assert timer["args"]["late_ns"] >= 0
    woken = cause(events, second)
    assert woken["ts"] >= timer["ts"] and woken["args"]["by"] == "worker", woken

    # The reader's end wakes main, which has joined it.
    woken = [e for e in instants(events, "wake", "main") if e["args"]["by"] == "reader"]
    assert len(woken) == 1, woken
    joins = [r for r in runs_of(events, "main") if r["args"].get("left") == "join"]
    assert joins[0]["args"]["joined"] == runs_of(events, "reader")[0]["args"]["task"], joins

    # 31 bytes are kept, and what is no UTF-8 is replaced.
    name = 'sl"e\\e\tp\x01\ufffd\xe9 \u20ac'
    first, second = runs_of(events, name)
    assert first["args"]["left"] == "sleep" and "until" not in first["args"], first
    cancel, = instants(events, "cancel", name)
    assert cancel["args"]["by"] == "main", cancel
    assert cause(events, second)["args"]["by"] == "main"
    assert cause(events, second)["args"]["result"] == -125
    assert cancel["ts"] <= cause(events, second)["ts"] <= second["ts"]

    # Woken by a thread that is not recorded: the arrow begins where it came in.
    first, second = runs_of(events, "helped by a thread")
    assert first["args"]["left"] == "offload", first
    assert cause(events, second)["name"] == "inbox", cause(events, second)

    unnamed = [e for e in events if e["ph"] == "B" and e["name"].startswith("task ")]
    assert unnamed and unnamed[0]["name"] == f"task {unnamed[0]['args']['task']}", unnamed

    steal, = [e for e in events if e["ph"] == "i" and e["name"] == "steal"]
    assert steal["args"] == {"from_worker": 3, "tasks": 5}, steal

    polls = [e for e in events if e["ph"] == "B" and e["name"] == "poll"]
    assert any(p["args"]["events"] == 1 for p in polls), polls
    assert any(p["args"]["timeout_ns"] != 0 for p in polls), polls
    names = [e["args"]["name"] for e in events if e.get("name") == "thread_name"]
    assert names == ["worker 1"], names
    assert trace["otherData"]["overwritten"] == 0
    # Main's last run is under way when the trace ends.
    assert "left" not in runs_of(events, "main")[-1]["args"], runs_of(events, "main")[-1]


def check_wrap(trace):
    events = trace["traceEvents"]
    assert trace["otherData"]["overwritten"] > 1000, trace["otherData"]
    for name in "left", "right":  # told again before it is overwritten
        runs = runs_of(events, name)
        assert len(runs) > 5, (name, runs)
        assert all("site" in r["args"] for r in runs)
    assert len(events) < 64 * 4


def check_threads(trace):
    events = trace["traceEvents"]
    tracks = {e["tid"] for e in events}
    assert len(tracks) >= 3, tracks
    crossed = runs_of(events, "crossed")
    assert len(crossed) > 10, len(crossed)


def check_across(trace):
    events = trace["traceEvents"]
    first, second = runs_of(events, "waiting")
    cancel, = instants(events, "cancel", "waiting")
    woken = cause(events, second)
    assert woken["name"] == "wake" and woken["args"]["by_task"] == cancel["args"]["by_task"]
    assert woken["tid"] == cancel["tid"] != second["tid"] == first["tid"], (woken, second)
    assert [i["tid"] for i in instants(events, "inbox", "waiting")] == [first["tid"]]


def check_crew(trace):
    events = trace["traceEvents"]
    runs = runs_of(events, "wanders")
    tracks = {r["tid"] for r in runs}
    assert len(tracks) == 3, tracks
    # Who is stolen runs on the thief's track, and the arrow begins at the spawn.
    sources = {e["id"]: e["tid"] for e in events if e["ph"] == "s"}
    moved = [r for r in runs if "cause" in r and sources[r["cause"]] != r["tid"]]
    assert moved, "nobody has moved"
    workers = {int(e["args"]["name"].split()[1]): e["tid"] for e in events
               if e.get("name") == "thread_name"}
    for steal in (e for e in events if e.get("name") == "steal"):
        assert steal["args"]["tasks"] >= 1, steal
        assert workers[steal["args"]["from_worker"]] != steal["tid"], steal
    # A task runs in one place at a time (0.1 us: counters of several CPUs).
    by_task = {}
    for run in runs:
        by_task.setdefault(run["args"]["task"], []).append(run)
    for mine in by_task.values():
        mine.sort(key=lambda r: r["ts"])
        for a, b in zip(mine, mine[1:]):
            assert a["end"] <= b["ts"] + 0.1, (a, b)
        # The last one's joiner may have stopped the trace before it was gone.
        assert mine[-1]["args"].get("left", "end") == "end", mine
        assert all(r["args"]["left"] in ("yield", "sleep") for r in mine[:-1]), mine


def check_running(trace):
    run, = runs_of(trace["traceEvents"], "computes")
    assert run["end"] - run["ts"] >= 4000, run
    assert "left" not in run["args"], run


def check_exit(trace):
    run, = runs_of(trace["traceEvents"], "leaves")
    assert "left" not in run["args"], run


if __name__ == "__main__":
    globals()["check_" + sys.argv[1]](load(sys.argv[2]), *sys.argv[3:])
