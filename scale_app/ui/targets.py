"""The page of what the cluster shows: Services that can be tested, and what this installation may read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.target import DEMO_TARGET
from scale_app.ui import controls
from scale_app.ui.callers import if_allowed
from scale_app.ui.display import empty_card, explained, heads, info, local_time, notice, problem, table
from scale_app.ui.layout import page
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.ui.shown.panels import panel
from scale_app.views.targets import NO_TARGETS, RightRow, TargetRow, TargetsView, narrowed, targets_view

MANY = 8
TYPING_MS = 200
TRY_IT = "SCALE_KUBE_CONFIG=$HOME/.kube/config make run"


class TargetsPage(rx.State):
    """What the cluster said when this tab asked last."""

    view: TargetsView = NO_TARGETS
    rows: rx.Field[list[TargetRow]] = rx.field(default_factory=list)
    wanted: str = ""
    asking: bool = False
    ready: bool = False
    asked_at_epoch_s: float = 0.0

    @rx.event
    async def load(self) -> AsyncIterator[None]:
        """Ask the cluster; neither question raises, what is wrong is in the answer."""
        self.asking = True
        yield
        hub = wiring.hub()
        self.view = targets_view(await hub.targets(), await hub.permissions())
        self.rows = narrowed(self.view.targets, self.wanted)
        self.asking, self.ready, self.asked_at_epoch_s = False, True, time.time()

    @rx.event
    def narrow(self, text: str) -> None:
        self.wanted = text
        self.rows = narrowed(self.view.targets, text)

    @rx.event
    def use(self, url: str, service: str) -> Any:
        """Take a target and the Service behind it into the plan, and go to where it is started."""
        choose: Handler = PlanForm.choose_service
        return [choose(url, service), rx.redirect("/")]


def targets_page() -> Part:
    """`/targets`"""
    view: Any = TargetsPage.view
    return page(
        rx.cond(
            TargetsPage.ready,
            rx.el.div(rx.cond(view.configured, _cluster(view), _no_cluster()), _always_there(), class_name="panels"),
            rx.el.div(class_name="skeleton skeleton-page", role="status", aria_label="Reading the cluster"),
        ),
        here="Targets",
    )


def _cluster(view: Any) -> Part:
    rows = rx.el.ul(rx.foreach(TargetsPage.rows, _target), class_name="targets", data_testid="targets")
    no_target = rx.cond(
        view.targets,
        "No target matches the filter.",
        "No Service found. To look in other namespaces, set SCALE_KUBE_NAMESPACES.",
    )
    alert: dict[str, Any] = {"look": "notice notice-alert", "role": "alert", "data_testid": "cluster-problem"}
    return rx.fragment(
        rx.cond(view.problem != "", notice("triangle-alert", rx.el.span(view.problem), **alert)),
        rx.el.section(
            _head(view),
            rx.cond(TargetsPage.rows, rows, rx.el.p(no_target, class_name="quiet", data_testid="no-targets")),
            class_name="card",
            aria_label="Targets",
        ),
        _rights(view),
    )


def _head(view: Any) -> Part:
    refresh = controls.button(
        rx.cond(TargetsPage.asking, "Refreshing…", "Refresh"),
        TargetsPage.load,
        "ask-again",
        icon="refresh-cw",
        disabled=TargetsPage.asking,
    )
    return rx.el.div(
        rx.el.div(
            rx.el.h1("Targets"),
            rx.el.p(view.looked_at, " · updated ", local_time(TargetsPage.asked_at_epoch_s), class_name="quiet"),
            class_name="panel-head",
        ),
        rx.cond(view.targets.length() > MANY, _filter()),
        rx.el.div(refresh, class_name="buttons no-print"),
        class_name="list-head",
    )


def _filter() -> Part:
    narrow: Handler = TargetsPage.narrow
    asks = "Name, namespace or URL contains"
    entry = controls.search("filter-targets", asks, TargetsPage.wanted, narrow.debounce(TYPING_MS))
    return rx.el.div(entry, class_name="filter", role="search")


def _target(row: TargetRow) -> Part:
    settings = rx.foreach(row.notable, lambda setting: rx.el.li(setting, class_name="fact mono"))
    return rx.el.li(
        rx.el.div(
            rx.el.h2(rx.el.span(row.where + "/", class_name="quiet"), row.name),
            rx.el.span(row.kind, class_name="badge"),
            rx.cond(row.usable, _use(row)),
            class_name="head-line",
        ),
        rx.cond(row.url != "", rx.el.p(row.url, class_name="mono")),
        rx.cond(row.problem != "", rx.el.p(row.problem, class_name="problem")),
        rx.el.div(
            _fact(row.short, rx.el.strong(row.ready), " pods ready", data_testid="ready-pods"),
            info("ready_pods"),
            rx.foreach(row.places, lambda place: _fact(~place.all_ready, place.node, " ", rx.el.strong(place.text))),
            class_name="facts",
        ),
        rx.cond(row.notable, rx.el.ul(settings, class_name="facts", aria_label="Settings that affect sharing")),
        key=row.key,
        data_testid="target-row",
    )


def _use(row: TargetRow) -> Part:
    use: Handler = TargetsPage.use
    about = "Use " + row.name + " as target"
    return controls.button(
        "Use as target",
        use(row.url, row.service),
        "use",
        look="small no-print",
        aria_label=about,
        **if_allowed("start"),
    )


def _fact(short: Any, *inside: Part, **more: Any) -> Part:
    """short: some of these pods take no traffic."""
    return rx.el.span(*inside, class_name=rx.cond(short, "fact fact-short", "fact"), **more)


def _rights(view: Any) -> Part:
    head = heads(
        (explained("Source", "counting"), ""), ("Allowed", ""), ("Enables", ""), ("Missing permission", "mono-head")
    )
    rows = rx.el.tbody(rx.foreach(view.rights, _right))
    return panel(
        "Permissions",
        rx.cond(view.rights_problem != "", problem(view.rights_problem, "rights-problem")),
        rx.cond(view.rights, table("Table of permissions", head, rows, look="rights-table", name="rights")),
        note=view.rights_of,
    )


def _right(row: RightRow) -> Part:
    return rx.el.tr(
        rx.el.th(row.source, scope="row"),
        rx.el.td(
            rx.el.span(
                rx.match(row.allowed, ("yes", "✓ "), ("no", "✕ "), "? "),
                row.allowed_text,
                class_name="badge",
                data_allowed=row.allowed,
            )
        ),
        rx.el.td(row.used_for),
        rx.el.td(rx.cond(row.missing != "", row.missing, rx.el.span("none", class_name="quiet")), class_name="mono"),
        title=row.sentence,
        data_testid="right",
        key=row.source,
    )


def _no_cluster() -> Part:
    """Nothing is wrong: Scale works without a cluster. What to set to see one."""
    return empty_card(
        "ship-wheel",
        rx.el.h1("No Kubernetes cluster is configured"),
        rx.el.p(
            "With a cluster, this page lists its Services, their ready pods, the settings that affect sharing, "
            "and Scale's permissions. Set SCALE_KUBE_CONFIG to a kubeconfig file, or to in-cluster if Scale "
            "runs in a pod. Then restart Scale:"
        ),
        rx.el.pre(TRY_IT, class_name="mono try-it", tab_index=0, aria_label="Command"),
        rx.el.p(
            "Without a cluster you can test any URL whose pods name themselves in a response header.",
            class_name="quiet",
        ),
        size=36,
        data_testid="no-cluster",
    )


def _always_there() -> Part:
    use: Handler = TargetsPage.use
    return panel(
        "Without a cluster",
        rx.el.div(
            rx.el.p(
                rx.el.strong("demo"),
                " - real pods behind a real balancer on this machine. Cause an imbalance and watch the verdict change.",
            ),
            controls.button("Use the demo", use(DEMO_TARGET, ""), "use-demo", **if_allowed("start")),
            class_name="offer",
        ),
    )
