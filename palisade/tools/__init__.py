"""External programs: found on PATH at an accepted version, or built from pinned sources into the user's cache.

A command that needs programs calls :func:`ensure`, announces :func:`step_titles` among its steps, and starts the
programs with the PATH of :func:`environment`.
"""

from palisade.tools.obtain import ensure, environment, require_toolchain, step_titles

__all__ = ["ensure", "environment", "require_toolchain", "step_titles"]
