"""Several tiles on their way at once, so that a graphics processor need not wait for the processor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Begun = TypeVar("Begun")
Result = TypeVar("Result")


def overlapped(
    items: Iterable[Item],
    start: Callable[[Item], Begun],
    finish: Callable[[Begun], Result],
    *,
    most: int,
) -> Iterator[tuple[Item, Result]]:
    """
    Start each item before those started earlier are finished, at most *most* at a time.

    While the caller uses a result, those after it are under way.

    Parameters
    ----------
    items : iterable
        Taken one by one, when there is room.
    start : callable
        Begins the work on an item elsewhere and returns at once what *finish* needs.
    finish : callable
        Waits for the result.
    most : int
        1 for one after the other.

    Yields
    ------
    item, result
        In the order of *items*.

    Examples
    --------
    >>> list(overlapped("ab", str.upper, lambda begun: begun + "!", most=2))
    [('a', 'A!'), ('b', 'B!')]
    """
    under_way: deque[tuple[Item, Begun]] = deque()
    for item in items:
        under_way.append((item, start(item)))
        if len(under_way) >= most:
            first, begun = under_way.popleft()
            yield first, finish(begun)
    for first, begun in under_way:
        yield first, finish(begun)
