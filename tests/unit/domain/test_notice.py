"""What a message outside says, and what it leaves out."""

from dataclasses import replace

from scale_app.domain.alert import Alert
from scale_app.domain.events import AlertCleared, AlertRaised
from scale_app.domain.notice import end_notice, notice_of, summed_up
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.fakes import a_snapshot

UNEVEN = Alert("verdict", 0.43, 0.95, "Uneven: pod demo-a gets 43 %, fair is 20 %.", 7.0, 0.43)
SLOW = Alert("p95", 0.97, 500.0, "The 95th percentile is 812 ms, above the limit of 500 ms.", 7.0, 812.0)


def record(target: str = "http://api.shop.svc/?key=secret", source: Source = Source.HEADER) -> RunRecord:
    return RunRecord("run-1", LoadPlan(target), source, RunState.RUNNING, 1.0)


def test_it_says_what_where_how_bad_and_where_to_look() -> None:
    notice = notice_of(record(), AlertRaised(7.0, UNEVEN), "https://scale.example")
    assert notice.title == "Scale: alert on http://api.shop.svc/"
    assert notice.body.splitlines() == [
        "Uneven: pod demo-a gets 43 %, fair is 20 %.",
        "Balance score: 0.43, threshold: 0.95.",
        "Run: run-1, 7 s after its start.",
        "Target: http://api.shop.svc/. Counts from: header.",
        "https://scale.example/runs/run-1",
    ]
    assert notice.tone == "bad"


def test_the_query_of_a_target_stays_here() -> None:
    notice = notice_of(record(), AlertRaised(7.0, UNEVEN))
    assert "secret" not in notice.title + notice.body


def test_simulated_counts_are_called_so_twice() -> None:
    notice = notice_of(record("simulated?pods=3", Source.SIMULATED), AlertRaised(7.0, UNEVEN))
    assert "(simulated)" in notice.title
    assert "these counts are invented" in notice.body


def test_a_limit_of_the_plan_is_told_with_its_threshold_and_the_score() -> None:
    assert "Threshold: 500. Balance score: 0.97." in notice_of(record(), AlertRaised(7.0, SLOW)).body


def test_what_is_over_is_good_news() -> None:
    notice = notice_of(record(), AlertCleared(9.0, UNEVEN))
    assert (notice.body.splitlines()[0], notice.tone) == ("The imbalance is over.", "good")


def test_many_are_summed_up_by_the_newest_and_one_line_for_each_other() -> None:
    notices = [notice_of(record(), AlertRaised(float(n), SLOW)) for n in range(30)]
    whole = summed_up([*notices, notice_of(record(), AlertCleared(31.0, SLOW))])
    assert whole.title.endswith("(and 30 more)")
    assert whole.body.startswith("Latency p95 is no longer above 500 ms.")
    assert whole.body.count("- The 95th") == 10
    assert whole.tone == "good"


def test_a_run_that_ends_with_alerts_on_says_so_once_for_all_of_them() -> None:
    last = replace(a_snapshot(), elapsed_s=60.0, alerts=(UNEVEN, SLOW))
    notice = end_notice(replace(record(), state=RunState.FINISHED, last=last))
    assert notice is not None
    assert notice.title == "Scale: run finished with 2 alerts on, http://api.shop.svc/"
    assert notice.body.splitlines()[:3] == [UNEVEN.message, SLOW.message, "Run: run-1, 60 s after its start."]


def test_a_run_that_ends_without_an_alert_is_no_news() -> None:
    assert end_notice(replace(record(), state=RunState.FINISHED, last=a_snapshot())) is None
