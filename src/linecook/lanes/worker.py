"""What a worker process starts with. Run by path: the package is not imported, so that starting costs 17 ms, not 40.

The real program is ``worker_main``, imported so that its byte code is cached. Both it and ``wire`` then leave the
places where user code could meet them: the module table (under these plain names) and the path.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import worker_main
elif __name__ == "__main__":
    sys.path.insert(0, __file__.rpartition("/")[0])  # not there by itself under python -P and -I
    import worker_main

    del sys.path[0]

if __name__ == "__main__":
    worker_main.main()
