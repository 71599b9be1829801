"""Every vocabulary has a word for every status, takes its words back, and asks questions that agree with its words."""

import pytest

from domain.errors import InvalidInput
from domain.status import FINAL, INITIAL, Status
from domain.vocabulary import EXECUTIONS, FULL, OLD_NAMES, V2, V3, V4, VOCABULARIES, Vocabulary, vocabulary_called

EACH = pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
V4_NAMES = {
    *("PENDING_VERSION", "DELAYED", "QUEUED", "DEQUEUED", "EXECUTING", "WAITING"),
    *("COMPLETED", "CANCELED", "FAILED", "TIMED_OUT", "CRASHED", "SYSTEM_FAILURE", "EXPIRED"),
}
V3_NAMES = {
    *("WAITING_FOR_DEPLOY", "DELAYED", "QUEUED", "EXECUTING", "REATTEMPTING", "FROZEN", "COMPLETED", "CANCELED"),
    *("FAILED", "TIMED_OUT", "CRASHED", "INTERRUPTED", "SYSTEM_FAILURE", "EXPIRED"),
}
V2_NAMES = {
    *("PENDING", "QUEUED", "WAITING_ON_CONNECTIONS", "EXECUTING", "WAITING_TO_CONTINUE", "SUCCESS", "FAILURE"),
    *("CANCELED", "TIMED_OUT", "INVALID_PAYLOAD", "UNRESOLVED_AUTH"),
}


@EACH
def test_every_status_has_a_word_and_every_question_an_answer(vocabulary: Vocabulary) -> None:
    assert list(vocabulary.words) == list(Status)
    assert {frozenset(answers) for answers in vocabulary.helpers.values()} == {frozenset(FULL.helpers[Status.QUEUED])}


@pytest.mark.parametrize(
    ("vocabulary", "names"),
    [
        (FULL, set(map(str, Status))),
        (V4, V4_NAMES),
        (V3, V3_NAMES),
        (V2, V2_NAMES),
        (EXECUTIONS, {"queued", "running", "succeeded", "failed"}),
    ],
    ids=VOCABULARIES,
)
def test_the_words_are_those_of_the_system(vocabulary: Vocabulary, names: set[str]) -> None:
    assert set(vocabulary.words.values()) == names


@EACH
def test_each_word_means_every_status_that_is_shown_under_it(vocabulary: Vocabulary) -> None:
    for word in set(vocabulary.words.values()) - set(OLD_NAMES):
        shown = {status for status in Status if vocabulary.words[status] == word}

        assert vocabulary.named(word) == shown | {status for status in Status if status.value == word}


@EACH
@pytest.mark.parametrize("status", Status)
def test_a_status_is_found_by_its_word_and_by_its_full_name(vocabulary: Vocabulary, status: Status) -> None:
    assert status in vocabulary.named(vocabulary.words[status])
    assert status in vocabulary.named(status.value)


@EACH
def test_the_old_name_is_taken_by_all(vocabulary: Vocabulary) -> None:
    assert vocabulary.named("WAITING_FOR_DEPLOY") == {Status.PENDING_VERSION}


@pytest.mark.parametrize("name", ["", "queued", "COMPLETED ", "DONE", "Q" * 100])
def test_a_word_that_a_vocabulary_has_not_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        V2.named(name)

    sentence = str(refusal.value)
    assert sentence.startswith(f'There is no status "{name[:40]}". Statuses are CANCELED, COMPLETED,')
    assert {"SUCCESS", "FAILURE", "INTERRUPTED"} <= set(sentence.rstrip(".").replace(",", "").split())


@EACH
def test_what_is_called_the_same_is_answered_the_same(vocabulary: Vocabulary) -> None:
    answers = {word: set[tuple[bool, ...]]() for word in vocabulary.words.values()}
    for status in Status:
        answers[vocabulary.words[status]].add(tuple(vocabulary.helpers[status].values()))

    assert [word for word, different in answers.items() if len(different) > 1] == []


@EACH
@pytest.mark.parametrize("status", Status)
def test_a_run_is_in_one_stage_and_ended_in_one_way(vocabulary: Vocabulary, status: Status) -> None:
    answers = vocabulary.helpers[status]

    stages = [answers[name] for name in ("isQueued", "isExecuting", "isWaiting", "isCompleted")]
    ends = [answers[name] for name in ("isSuccess", "isFailed", "isCancelled")]
    assert stages.count(True) == 1
    assert ends.count(True) == answers["isCompleted"] == (status in FINAL)
    assert answers["isSuccess"] is (status is Status.COMPLETED)
    assert answers["isQueued"] <= (status in INITIAL)


def test_the_answers_differ_only_where_a_system_has_no_word_of_its_own() -> None:
    differing = {
        (name, status.value, question)
        for name, vocabulary in VOCABULARIES.items()
        for status in Status
        for question, answer in vocabulary.helpers[status].items()
        if answer is not FULL.helpers[status][question]
    }

    assert differing == {
        *(("v3", status, question) for status in ("WAITING", "FROZEN") for question in ("isExecuting", "isWaiting")),
        *(("v2", "REATTEMPTING", question) for question in ("isExecuting", "isWaiting")),
        *(
            ("executions", status, question)
            for status in ("WAITING", "FROZEN")
            for question in ("isExecuting", "isWaiting")
        ),
        *(("executions", "CANCELED", question) for question in ("isFailed", "isCancelled")),
    }


@EACH
def test_a_vocabulary_is_called_by_its_name(vocabulary: Vocabulary) -> None:
    assert vocabulary_called(vocabulary.name) is vocabulary


@pytest.mark.parametrize("name", ["", "V4", "v5", "trigrun", "v2,v3"])
def test_a_vocabulary_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        vocabulary_called(name)

    assert str(refusal.value) == f'There is no vocabulary "{name}". Vocabularies are full, v4, v3, v2, executions.'
