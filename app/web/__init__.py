"""The HTTP API. A route parses, calls and answers; decisions are the domain's."""
