"""The folder `.runfold` that `runfold dev` keeps beside the user's code: the ledger and the key."""

import os
import secrets
import string
from pathlib import Path

from app.settings import SECRET_KEY_LENGTH_MIN, WrongSetting

FOLDER = Path(".runfold")
KEY_FILE = FOLDER / "secret-key"
_LETTERS = string.ascii_letters + string.digits


def open_folder() -> str:
    """The secret key of this folder, made when there is none. Raises WrongSetting for a file without a key."""
    FOLDER.mkdir(exist_ok=True)
    ignored = FOLDER / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n")  # no key and no ledger gets into somebody's repository
    try:
        descriptor = os.open(KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _known_key()
    key = "tr_dev_" + "".join(secrets.choice(_LETTERS) for _ in range(32))
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{key}\n")
    return key


def _known_key() -> str:
    key = KEY_FILE.read_text().strip()
    if len(key) < SECRET_KEY_LENGTH_MIN:
        raise WrongSetting(f"The file {KEY_FILE} holds no secret key: remove it to get a new one.")
    return key
