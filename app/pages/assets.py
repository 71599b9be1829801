"""The files of the pages: styles, scripts and the icon. They are read once, and their addresses change with them."""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}
_FILES = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}
_VERSIONS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in _FILES.items()}
FOR_EVER = "public, max-age=31536000, immutable"


def asset(name: str) -> str:
    """The address of a file."""
    return f"/assets/{name}?v={_VERSIONS[name]}"


async def answer(request: Request) -> Response:
    """A file; browsers keep it, because a changed one has another address."""
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(f"There is no file {name[:60]} here.", 404, media_type="text/plain")
    headers = {"cache-control": FOR_EVER, "x-content-type-options": "nosniff"}
    return Response(_FILES[name], media_type=TYPES[Path(name).suffix], headers=headers)
