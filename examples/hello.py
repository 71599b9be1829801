"""Two tasks to begin with: `runfold dev hello.py`."""

from dataclasses import dataclass

from runfold import Context, Retry, task


@dataclass
class Greeting:
    name: str
    language: str = "en"


@task
async def greet(greeting: Greeting) -> str:
    return sentence(greeting)


@task(id="greet-on-second-try", retry=Retry(max_attempts=3, min_timeout_ms=500))
async def greet_on_second_try(greeting: Greeting, ctx: Context) -> str:
    if ctx.attempt.number == 1:
        raise ConnectionError("The first attempt fails by design.")
    return sentence(greeting)


def sentence(greeting: Greeting) -> str:
    words = {"en": "Hello", "de": "Hallo", "fr": "Bonjour"}
    return f"{words[greeting.language]}, {greeting.name}!"
