"""Make waitpoint tokens, complete them and look at them.

The calls are those of `runfold.aio.tokens`, for code that does not await.
"""

from typing import Unpack

from runfold.aio import tokens as aio
from runfold.aio.tokens import TokenFilters
from runfold.blocking import blocking
from runfold.pages import TokenList

create_token = blocking(aio.create_token)
complete_token = blocking(aio.complete_token)
retrieve_token = blocking(aio.retrieve_token)


def list_tokens(**filters: Unpack[TokenFilters]) -> TokenList:
    """Tokens, newest first, as far as the filters let them through."""
    return TokenList(aio.list_tokens(**filters))
