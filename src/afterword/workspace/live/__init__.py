"""Results of a running server: `Live` keeps derived rows beside the facts, and answers from them.

`gathering` finds whom new facts touched and their facts, `refreshing` has them swept, `staging` puts what comes out
under keys that last (`tables.sql`), `state` says what the rows stand for, `answering` makes the report of them, and
`comparing` holds them against deriving everything again. `changes` writes down what a refresh changes about
conversions, `feed` reads that.
"""

from afterword.workspace.live.comparing import Difference
from afterword.workspace.live.feed import ChangesGone, Feed, FeedState
from afterword.workspace.live.live import Live
from afterword.workspace.live.refreshing import Refreshed
from afterword.workspace.live.state import NotDerived, State

__all__ = ["ChangesGone", "Difference", "Feed", "FeedState", "Live", "NotDerived", "Refreshed", "State"]
