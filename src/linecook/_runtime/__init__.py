"""Floor 2: opens and closes lanes, resources and watches; ``run`` and ``install``."""

from .install import Installed as Installed
from .install import install as install
from .run import run as run
from .runtime import Runtime as Runtime
from .runtime import current as current
from .runtime import outstanding_on as outstanding_on
