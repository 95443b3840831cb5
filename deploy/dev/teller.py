"""Tells a checked story in a terminal: coloured there, plain elsewhere or with NO_COLOR."""
import os
import sys


class Miss(Exception):
    """Something was not as the story has it."""


class Teller:
    def __init__(self, out=sys.stdout):
        self._out = out
        self._coloured = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._number = 0

    def step(self, title, what=""):
        self._number += 1
        self._line()
        self._line(self._paint("1;36", f"{self._number}. {title}") + (self._paint("2", f"  {what}") if what else ""))

    def show(self, name, value):
        self._line(f"   {name:<18} {value}")

    def plain(self, text):
        self._line(text)

    def expect(self, what, found, expected):
        """Says that it is so, or raises Miss with both."""
        if found != expected:
            raise Miss(f"{what}\n     expected  {expected!r}\n     found     {found!r}")
        self.sure(what)

    def sure(self, what):
        self._line(f"   {self._paint('32', 'ok')}  {what}")

    def end(self, text):
        self._line()
        self._line(self._paint("1;32", text))

    def fail(self, text):
        self._line()
        self._line(f"{self._paint('1;31', 'not as it should be:')} {text}")

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._coloured else text

    def _line(self, text=""):
        print(text, file=self._out, flush=True)


def shortened(text, keep=12):
    """Enough of a token to tell it from another."""
    return text if len(text) <= keep + 3 else f"{text[:keep]}... ({len(text)} characters)"
