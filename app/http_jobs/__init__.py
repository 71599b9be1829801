"""HTTP jobs and whom they tell: from what a user asks for to the calls that are made."""
