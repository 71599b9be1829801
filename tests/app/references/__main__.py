"""Writes the references that are made from code: `python -m tests.app.references`."""

import asyncio

from tests.app.references.pages import FOLDER, pages

if __name__ == "__main__":
    for name, content in asyncio.run(pages()).items():
        (FOLDER / name).write_text(content, encoding="utf-8")
