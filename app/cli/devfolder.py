"""The folder `.runfold` beside the user's code, where the ledger is and the key of `runfold dev`."""

import os
import secrets
import string
from pathlib import Path

from adapters.folders import make_folders
from app.settings import SECRET_KEY_LENGTH_MIN, WrongSetting

FOLDER = Path(".runfold")
KEY_FILE = FOLDER / "secret-key"
_LETTERS = string.ascii_letters + string.digits


def open_folder() -> str:
    """The secret key of this folder, made when there is none. Raises WrongSetting for a file without a key."""
    make_folder(FOLDER)
    try:
        descriptor = os.open(KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _known_key()
    key = "tr_dev_" + "".join(secrets.choice(_LETTERS) for _ in range(32))
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{key}\n")
    return key


def make_folder(folder: Path) -> None:
    """Make it, if it is missing; what is made here, or is called as if it were, keeps out of people's repositories."""
    is_ours = folder.name == FOLDER.name or not folder.exists()
    make_folders(folder)
    ignored = folder / ".gitignore"
    if is_ours and not ignored.exists():
        ignored.write_text("*\n")  # ledgers and keys


def _known_key() -> str:
    key = KEY_FILE.read_text().strip()
    if len(key) < SECRET_KEY_LENGTH_MIN:
        raise WrongSetting(f"The file {KEY_FILE} holds no secret key: remove it to get a new one.")
    return key
