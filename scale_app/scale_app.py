"""The app as Reflex finds it: pages, API and the hub's life. A table of contents."""

from __future__ import annotations

import reflex as rx
from starlette.types import ASGIApp

from scale_app import wiring
from scale_app.api.guard import Guard
from scale_app.api.identity import KnownCallers
from scale_app.api.routes import api_app
from scale_app.api.strangers import StrangersNoted
from scale_app.ui.audit import AuditList, audit_page
from scale_app.ui.callers import CallerOfEvents, WhoAsks
from scale_app.ui.compare import ComparePage, compare_page
from scale_app.ui.layout import NotStored, nowhere_page
from scale_app.ui.live.demo import DemoControl
from scale_app.ui.live.page import live_page
from scale_app.ui.live.saved_plans import SavedPlansForm
from scale_app.ui.live.target_picker import TargetChoices
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import OWN_OVERLAY, WrappedApp
from scale_app.ui.runs.page import runs_page
from scale_app.ui.runs.run_page import OneRunPage, run_page
from scale_app.ui.runs.state import RunList
from scale_app.ui.shown.state import Follower
from scale_app.ui.shown.viewers import VIEWERS
from scale_app.ui.targets import TargetsPage, targets_page
from scale_app.ui.tokens import TokensPage, tokens_page


def guarded(app: ASGIApp) -> ASGIApp:
    """The whole server behind one guard, the page's own socket included; then whoever asks has to be known."""
    ways = wiring.ways_in()
    note = StrangersNoted(wiring.audit().note_refused, ways)
    return Guard(KnownCallers(app, ways, note=note), wiring.settings(), note)


app = WrappedApp(
    around=guarded,
    api_transformer=api_app(wiring.hub(), wiring.sign_in()),
    stylesheets=["/scale.css"],
    html_lang="en",
    head_components=[
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.script(src="/readout.js", defer=True),
        rx.el.script(src="/pod_table.js", defer=True),
    ],
)
app.app_wraps.pop(OWN_OVERLAY)
app.add_middleware(CallerOfEvents(wiring.ways_in().open_to_all))
assert app.event_namespace is not None
VIEWERS.socket = app.event_namespace
app.register_lifespan_task(wiring.lifespan)
of_every_page = [WhoAsks.look, Follower.follow, NotStored.watch]
of_the_form = [DemoControl.look, TargetChoices.look, SavedPlansForm.look]
app.add_page(live_page, route="/", title=Follower.view.title, on_load=[PlanForm.look, *of_every_page, *of_the_form])
app.add_page(runs_page, route="/runs", title="Runs · Scale", on_load=[RunList.load, RunList.follow, *of_every_page])
app.add_page(run_page, route="/runs/[run_id]", title=Follower.view.title, on_load=[OneRunPage.load, *of_every_page])
app.add_page(targets_page, route="/targets", title="Targets · Scale", on_load=[TargetsPage.load, *of_every_page])
app.add_page(tokens_page, route="/tokens", title="Tokens · Scale", on_load=[TokensPage.load, *of_every_page])
app.add_page(audit_page, route="/audit", title="Audit log · Scale", on_load=[AuditList.load, *of_every_page])
app.add_page(nowhere_page, route="404", title="Not found · Scale", on_load=of_every_page)
app.add_page(compare_page, route="/compare", title="Compare · Scale", on_load=[ComparePage.load, *of_every_page])
