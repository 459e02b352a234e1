import subprocess
import sys

import pytest

from linecook import observe


def test_every_name_on_the_list_is_there_and_says_what_it_is():
    for name in observe.__all__:
        assert getattr(observe, name).__doc__
    assert dir(observe) == sorted(observe.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Baord"):
        observe.Baord  # type: ignore[attr-defined]


def test_the_watch_brings_no_report_along():
    code = "import sys, linecook.observe.stall, linecook.observe.probe; print('linecook.observe.report' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout == "False\n"
