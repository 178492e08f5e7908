"""The command `contextframe-monitoring`."""

from __future__ import annotations

import typer

from contextframe_monitoring.cli.alerting import alerts
from contextframe_monitoring.cli.benching import bench
from contextframe_monitoring.cli.demo import demo
from contextframe_monitoring.cli.doctor import doctor
from contextframe_monitoring.cli.exporting import export
from contextframe_monitoring.cli.importing import import_transcripts
from contextframe_monitoring.cli.installing import install, uninstall
from contextframe_monitoring.cli.log_lines import logs
from contextframe_monitoring.cli.maintaining import maintain
from contextframe_monitoring.cli.pricing import prices
from contextframe_monitoring.cli.purging import purge
from contextframe_monitoring.cli.reconciling import reconcile
from contextframe_monitoring.cli.reporting import report, verify
from contextframe_monitoring.cli.serving import keep, serve
from contextframe_monitoring.cli.wrapping import wrap

app = typer.Typer(
    name="contextframe-monitoring",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="""Monitoring as agent tools: what was used, how fast, at what cost, is anything wrong.

    Examples:
      contextframe-monitoring demo
      contextframe-monitoring install claude-desktop --wrap-all
      contextframe-monitoring report performance --since 7d

    Each command shows examples of its own with --help.
    """,
)
app.command()(serve)
app.command(context_settings={"ignore_unknown_options": True})(wrap)
app.add_typer(report, name="report")
app.command("import")(import_transcripts)
app.command()(verify)
app.add_typer(alerts, name="alerts")
app.add_typer(prices, name="prices")
app.command()(reconcile)
app.command()(export)
app.command()(logs)
app.command()(keep)
app.command()(maintain)
app.command()(install)
app.command()(uninstall)
app.command()(doctor)
app.command()(purge)
app.command()(bench)
app.command()(demo)
