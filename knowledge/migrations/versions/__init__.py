"""The revisions, oldest first."""

from . import r0001

REVISIONS = (r0001,)
