"""What changes on a page is sent by Bokeh, in order and in whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def together(document: Any) -> Iterator[None]:
    """Send what changes within as one, at its end; around a block, or `together(document)(action)` at each call.

    Panel writes changes to the socket itself, past Bokeh's queue, unless the document is held. When the socket is busy
    with a picture it puts them aside, and what is put aside while it writes those from before stays there until
    something else changes (`panel.io.document._dispatch_msgs` of 1.9.4 takes the block off that the next writer looks
    for). A page would then show an old state for good. Bokeh waits for its turn instead.

    Parameters
    ----------
    document
        The page's, locked by whoever calls. None sends nothing.
    """
    if document is None or document.callbacks.hold_value:
        yield
        return
    document.hold("combine")
    try:
        yield
    finally:
        document.unhold()
