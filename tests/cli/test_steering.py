"""`runfold explain`, `queues`, `batches`, `runs bulk`, `runs tag` and replays with other options."""

import pytest

import runfold
from runfold.run import Explanation
from tests.cli.commandline import CommandLine


@pytest.fixture(autouse=True)
def _engine(command: CommandLine) -> None:
    """The SDK finds the engine as the command does, by the folder, and a worker has told of its tasks."""
    runfold.configure()
    command.run("runs", "trigger", "add", "[]", "--wait")


def delayed(command: CommandLine, *tags: str) -> str:
    options = [part for tag in tags for part in ("--tag", tag)]
    return command.run("runs", "trigger", "add", "[1]", "--delay", "1h", *options).strip()


def test_a_run_says_what_it_waits_for_in_a_sentence_and_as_data(command: CommandLine) -> None:
    run = delayed(command)

    told = command.json("explain", run)
    lines = command.run("explain", run).splitlines()

    assert told["reason"] == "delay"
    assert lines == [told["sentence"], "", "reason  delay", f"until   {told['data']['until']}"]


def test_what_has_parts_is_told_as_json(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Explanation(
        reason="waits", sentence="It waits.", data={"waits": [{"wait": 4, "any": False}], "of": ["a", "b"]}
    )

    def explain(_run: str, *, as_of: str | None) -> Explanation:
        assert as_of is None
        return told

    monkeypatch.setattr(runfold.runs, "explain", explain)

    assert command.run("explain", "run_1").splitlines()[-2:] == ['waits   {"wait":4,"any":false}', "of      a b"]


def test_a_run_of_a_paused_queue_says_so_until_the_queue_is_resumed(command: CommandLine) -> None:
    paused = command.run("queues", "pause", "task/add")
    run = command.run("runs", "trigger", "add", "[1]").strip()

    assert paused.splitlines()[1].split() == ["task/add", "paused", "0", "0", "none"]
    assert command.run("explain", run).splitlines()[0] == "Queue task/add is paused."
    assert command.json("queues", "resume", "task/add")["paused"] is False
    assert runfold.runs.poll(run, interval=0.05, timeout=20).status == "COMPLETED"


def test_a_limit_is_overridden_and_reset(command: CommandLine) -> None:
    overridden = command.run("queues", "override", "task/add", "3").splitlines()[1]
    listed = {each["name"]: each["concurrencyLimit"] for each in command.json("queues", "list")}
    back = command.run("queues", "reset", "task/add").splitlines()[1]

    assert overridden.split(maxsplit=3)[::3] == ["task/add", "3 (overridden; the code says none)"]
    assert listed["add"] == 3
    assert back.split() == ["task/add", "0", "0", "none"]
    assert any(line.startswith("task/add  ") for line in command.run("queues", "list").splitlines())


def test_tags_are_added_to_those_that_a_run_has(command: CommandLine) -> None:
    run = delayed(command, "first")

    assert command.run("runs", "tag", run, "second", "third") == "first second third\n"
    assert command.json("runs", "tag", run, "second") == ["first", "second", "third"]


def test_a_replay_may_have_another_payload_and_other_tags(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "add", "[1]", "--tag", "old", "--wait")["id"]

    again = command.json("runs", "replay", run, "--payload", "[2, 3]", "--tag", "new", "--max-attempts", "1", "--wait")

    assert (again["payload"], again["output"], again["tags"]) == ([2, 3], 5, ["new"])
    assert again["id"] != run


def test_a_run_may_be_locked_to_the_version_that_there_is(command: CommandLine) -> None:
    version = command.json("runs", "trigger", "add", "[1]", "--wait")["version"]

    locked = command.json("runs", "trigger", "add", "[1]", "--version", version, "--machine", "micro", "--wait")

    assert (locked["version"], locked["status"]) == (version, "COMPLETED")


def test_many_runs_are_canceled_by_their_ids_and_replayed_by_a_filter(command: CommandLine) -> None:
    runs = [delayed(command, "many") for _ in range(3)]

    canceled = command.ask("runs", "bulk", "cancel", *runs)
    replayed = command.json("runs", "bulk", "replay", "--tag", "many", "--name", "once more")

    assert canceled.stdout.endswith("is COMPLETED: 3 of 3 runs canceled, 0 could not be\n")
    assert "is under way" in canceled.stderr
    assert {command.json("runs", "show", run)["status"] for run in runs} == {"CANCELED"}
    assert (replayed["status"], replayed["name"]) == ("COMPLETED", "once more")
    assert replayed["counts"] == {"total": 3, "success": 3, "failure": 0}
    assert len(command.json("runs", "list", "--tag", "many")) == 6


def test_a_bulk_action_in_which_a_run_is_not_done_fails(command: CommandLine) -> None:
    run = command.json("runs", "trigger", "add", "[1]", "--wait")["id"]

    said = command.run("runs", "bulk", "cancel", run, delayed(command), code=1)

    assert said.endswith("is COMPLETED: 1 of 2 runs canceled, 1 could not be\n")


def test_a_bulk_action_can_be_left_to_the_engine(command: CommandLine) -> None:
    run = delayed(command)

    action = command.ask("runs", "bulk", "cancel", run, "--no-wait")

    assert action.stdout.startswith("bulk_")
    assert action.stderr == ""
    assert runfold.runs.poll(run, interval=0.05, timeout=20).status == "CANCELED"
    assert command.json("runs", "bulk", "cancel", run, "--no-wait")["id"].startswith("bulk_")


def test_a_batch_is_shown_with_its_runs_and_the_items_that_became_none(command: CommandLine) -> None:
    known = runfold.tasks.trigger("add", [7], idempotency_key="known")
    too_many_tags = [f"tag {number}" for number in range(11)]
    batch = runfold.batches.trigger(
        [
            ("add", [1, 2]),
            ("refuse", "x", {"tags": "b"}),
            ("add", [7], {"idempotency_key": "known"}),
            ("add", [1], {"tags": too_many_tags}),
        ]
    )
    for run in batch.runs:
        runfold.runs.poll(run, interval=0.05, timeout=20)

    shown = command.json("batches", "show", batch.batch_id)
    lines = command.run("batches", "show", batch.batch_id).splitlines()

    assert shown["runs"] == [run.id for run in batch.runs]
    assert shown["runs"][2] == known.id
    assert [each["index"] for each in shown["processing"]["errors"]] == [3]
    assert lines[1:4] == ["status     COMPLETED", "items      4", "runs       3"]
    refused = lines.index("item  task  no run, because") + 1
    assert lines[refused].split()[:2] == ["3", "add"]
    assert [line.split()[0] for line in lines[-3:]] == shown["runs"]
    results = runfold.batches.results(batch)
    assert [(each.id, each.ok, each.output) for each in results] == [
        (shown["runs"][0], True, 3),
        (shown["runs"][1], False, None),
        (known.id, True, 7),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("explain", "run_unknown"), 1, "Run run_unknown not found."),
        (("batches", "show", "batch_unknown"), 1, "Batch batch_unknown not found."),
        (("queues", "pause", "unheard-of"), 1, "There is no queue of the custom 'unheard-of' in this environment."),
        (("queues", "override", "task/add", "many"), 2, "LIMIT"),
        (("runs", "tag", "run_unknown"), 2, "TAG..."),
        (("runs", "bulk", "cancel"), 2, "Say which runs are meant"),
        (("runs", "bulk", "cancel", "run_1", "--tag", "a"), 2, "Say which runs are meant"),
        (("runs", "bulk", "replay", "--period", "soon"), 2, "--period"),
        (("runs", "replay", "run_1", "--payload", "{"), 2, "--payload is no JSON"),
        (("runs", "trigger", "add", "[]", "--machine", "huge"), 2, "there are: micro, small-1x"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(
    command: CommandLine, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    said = command.ask(*arguments, code=code)

    assert said.stdout == ""
    assert sentence in " ".join(said.stderr.replace("│", " ").split())
