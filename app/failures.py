"""How commands fail: one readable message on stderr, an exit code, never a bare traceback.

exit 2   bad input, a misspelt option, or an action that a rule forbids
exit 3   any other error that Cytocrux knows (data unreachable, corrupt ledger)
exit 1   an unexpected error; its traceback is kept under <workspace>/logs
exit 130 interrupted by the user
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from ..world_model.errors import BadInput, CytocruxError, NotAllowed
from .console import clean
from .options import DEFAULT_WORKSPACE

GROUPS = ("campaign", "claims", "data", "model")  # commands with commands
COMMANDS = ("ask", "review", "predict", "explain", "eval", "doctor")


class Guarded(TyperGroup):
    """The top command: turns every exception of a command into a message and an exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        argv = list(sys.argv[1:] if args is None else args)
        options["standalone_mode"] = False
        try:
            outcome = super().main(argv, *rest, **options)
        except Exception as error:
            sys.exit(_explain(error, argv))
        except KeyboardInterrupt:
            sys.exit(_interrupted(argv))
        code = outcome if isinstance(outcome, int) else 0
        sys.exit(_interrupted(argv) if code == 130 else code)


def _explain(error: Exception, argv: list[str]) -> int:
    """Print what went wrong and return the exit code."""
    if isinstance(error, typer.Abort):
        return _interrupted(argv)
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, BrokenPipeError):  # the reader (head, less) went away; nothing to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, CytocruxError):
        code = 2 if isinstance(error, (BadInput, NotAllowed)) else 3
        return _say(argv, code, type(error).__name__, error.what, error.why, error.cure)
    if message := usage_message(error):
        return _say(argv, 2, "Usage", message, "", f"See {' '.join(['cytocrux', *command_words(argv)])} --help")
    kept = _keep_traceback(error, workspace_of(argv))
    what = f"Unexpected {type(error).__name__}: {first_line(error)}"
    return _say(argv, 1, "Unexpected", what, "this is a fault of Cytocrux", f"Send the traceback kept in {kept}")


def usage_message(error: Exception) -> str | None:
    """What is wrong with the command line itself, None for any other exception."""
    return error.format_message() if isinstance(error, typer.TyperException) else None


def _say(argv: list[str], code: int, kind: str, what: str, why: str, cure: str) -> int:
    if "--json" in argv:
        print(json.dumps({"error": kind, "what": what, "why": why, "cure": cure, "exit": code}), file=sys.stderr)
        return code
    lines = [f"Error: {sentence(what)}"]
    lines += [f"  Why: {sentence(why)}"] if why else []
    lines += [f"  Do:  {sentence(cure)}"] if cure else []
    print(clean("\n".join(lines)), file=sys.stderr)
    return code


def _interrupted(argv: list[str]) -> int:
    cure = "What was stored is kept; go on with: cytocrux campaign status"
    return _say(argv, 130, "Interrupted", "Interrupted", "", cure)


def _keep_traceback(error: Exception, workspace: Path) -> Path:
    """Write the traceback under ``workspace/logs`` (or the temporary folder when that cannot be written)."""
    import tempfile

    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    text = "".join(traceback.format_exception(error))
    for folder in (workspace / "logs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return Path(os.devnull)


def workspace_of(argv: Sequence[str]) -> Path:
    """The workspace named on the command line or in the environment, before any parsing succeeded."""
    for here, following in zip(argv, [*argv[1:], ""], strict=True):
        if here == "--workspace" and following:
            return Path(following)
        if here.startswith("--workspace="):
            return Path(here.partition("=")[2])
    return Path(os.environ.get("CYTOCRUX_WORKSPACE") or DEFAULT_WORKSPACE)


def command_words(argv: Sequence[str]) -> list[str]:
    """The leading words of a command line, e.g. ["campaign", "start"] (a guess: at most two words)."""
    words: list[str] = []
    for word in argv[:2]:
        if not word.replace("-", "").isalpha() or word.startswith("-"):
            break
        words.append(word)
    return words if words and words[0] in GROUPS else [word for word in words[:1] if word in COMMANDS]


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:300]


def sentence(text: str) -> str:
    """The text with exactly one full stop, unless it ends in another mark or a path."""
    text = text.strip()
    return text if text.endswith((".", "?", "!", ":", "…")) else text + "."
