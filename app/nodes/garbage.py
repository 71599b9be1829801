"""How seldom the garbage collector looks at what there is: all that an engine does stands still meanwhile."""

import gc

YOUNG, YOUNG_LOOKS, MIDDLE_LOOKS = 50_000, 3, 3
"""Objects that come, more than go, before the young ones are looked at; so many such looks until one goes further.

Python's own figure is 700, and it says too little: a held poll is a hundred objects, and one that ends while another
begins leaves the count where it was. So with a thousand polls each look walks thousands of objects, none of them
garbage. References are counted, so that only cycles wait for a look: 200,000 objects at most for one that was young,
and for one that lived longer about 800,000.
"""


def collect_seldom() -> None:
    """Leave what is there now out of all looks, and look at the rest as seldom as said above."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, YOUNG_LOOKS, MIDDLE_LOOKS)
