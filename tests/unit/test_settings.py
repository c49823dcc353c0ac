import os
from pathlib import Path

import pytest

from scale_app.domain.errors import SettingsError
from scale_app.domain.record import Retention
from scale_app.settings import Settings, load_settings, load_worker_listener


def test_an_empty_environment_gives_the_safe_defaults() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert settings.host == "127.0.0.1"
    assert settings.allowed_targets == ()
    assert settings.allowed_origins == ()
    assert settings.allowed_hosts == ()


def test_an_empty_value_is_the_default() -> None:
    assert load_settings({"SCALE_PORT": " ", "SCALE_ALLOWED_TARGETS": ""}) == Settings()


def test_every_setting_is_read() -> None:
    settings = load_settings(
        {
            "SCALE_HOST": "0.0.0.0",
            "SCALE_PORT": "8080",
            "SCALE_DATABASE_URL": "postgresql+asyncpg://scale@db/scale",
            "SCALE_REDIS_URL": "rediss://:a-secret@redis:6380/2",
            "SCALE_ALLOWED_TARGETS": "api.shop.svc, *.Shop.svc,10.0.0.0/8",
            "SCALE_ALLOWED_ORIGINS": "https://scale.example",
            "SCALE_ALLOWED_HOSTS": "Scale.example, *.corp.example, fd00::7",
            "SCALE_MAX_USERS": "50",
            "SCALE_MAX_SPAWN_RATE": "2.5",
            "SCALE_MAX_DURATION_S": "120",
            "SCALE_MAX_RUNS": "3",
            "SCALE_PUBLIC_URL": "https://scale.example/",
            "SCALE_KUBE_CONFIG": "~/config",
            "SCALE_KUBE_CONTEXTS": "prod, arn:aws:eks:eu-1:1:cluster/x",
            "SCALE_KUBE_NAMESPACES": "shop,back-end",
            "SCALE_KUBE_NODE": "n1",
            "SCALE_HISTORY_DAYS": "0.5",
            "SCALE_HISTORY_RUNS": "0",
            "SCALE_HISTORY_MB": "250",
        }
    )
    assert (settings.host, settings.port) == ("0.0.0.0", 8080)
    assert settings.database_url == "postgresql+asyncpg://scale@db/scale"
    assert settings.redis_url == "rediss://:a-secret@redis:6380/2"
    assert "a-secret" not in repr(settings)
    assert settings.allowed_targets == ("api.shop.svc", "*.shop.svc", "10.0.0.0/8")
    assert settings.allowed_origins == ("https://scale.example",)
    assert settings.allowed_hosts == ("scale.example", "*.corp.example", "fd00::7")
    assert (settings.limits.users, settings.limits.spawn_rate, settings.limits.duration_s) == (50, 2.5, 120.0)
    assert settings.max_runs == 3
    assert settings.public_url == "https://scale.example"
    assert settings.kube_config == os.path.expanduser("~/config")
    assert settings.kube_contexts == ("prod", "arn:aws:eks:eu-1:1:cluster/x")
    assert settings.kube_namespaces == ("shop", "back-end")
    assert settings.kube_node == "n1"
    assert settings.retention == Retention(0.5, 0, 250.0)


def test_services_of_a_cluster_may_be_allowed_and_all_namespaces_looked_at() -> None:
    given = {"SCALE_ALLOWED_TARGETS": "kubernetes:shop/*, kubernetes:Prod/shop/cart", "SCALE_KUBE_NAMESPACES": "*"}
    settings = load_settings(given)
    assert settings.allowed_targets == ("kubernetes:shop/*", "kubernetes:Prod/shop/cart")
    assert settings.kube_namespaces == ("*",)
    assert load_settings({"SCALE_KUBE_CONFIG": "in-cluster"}).kube_config == "in-cluster"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCALE_HOST", "http://127.0.0.1"),
        ("SCALE_HOST", "127.0.0.1 8000"),
        ("SCALE_PORT", "0"),
        ("SCALE_PORT", "65536"),
        ("SCALE_PORT", "-1"),
        ("SCALE_PORT", "tcp://10.0.0.1:80"),
        ("SCALE_PORT", "8000.0"),
        ("SCALE_DATABASE_URL", "scale.db"),
        ("SCALE_DATABASE_URL", "sqlite:///scale.db"),
        ("SCALE_DATABASE_URL", "postgresql://db/scale"),
        ("SCALE_ALLOWED_TARGETS", "10.0.0.1/8"),
        ("SCALE_ALLOWED_TARGETS", "http://shop.svc"),
        ("SCALE_ALLOWED_TARGETS", "shop.*"),
        ("SCALE_ALLOWED_TARGETS", "me@shop.svc"),
        ("SCALE_ALLOWED_TARGETS", "kubernetes:*"),
        ("SCALE_ALLOWED_TARGETS", "kubernetes:shop/c*"),
        ("SCALE_KUBE_NAMESPACES", "Shop"),
        ("SCALE_KUBE_NAMESPACES", "shop/*"),
        ("SCALE_KUBE_CONFIG", "a\0b"),
        ("SCALE_KUBE_NODE", "a node"),
        ("SCALE_ALLOWED_ORIGINS", "scale.example"),
        ("SCALE_ALLOWED_ORIGINS", "*"),
        ("SCALE_ALLOWED_HOSTS", "*"),
        ("SCALE_ALLOWED_HOSTS", "*."),
        ("SCALE_ALLOWED_HOSTS", "scale.example:8000"),
        ("SCALE_ALLOWED_HOSTS", "https://scale.example"),
        ("SCALE_MAX_USERS", "0"),
        ("SCALE_MAX_USERS", "1e3"),
        ("SCALE_MAX_SPAWN_RATE", "nan"),
        ("SCALE_MAX_SPAWN_RATE", "inf"),
        ("SCALE_MAX_DURATION_S", "-5"),
        ("SCALE_MAX_DURATION_S", "an hour"),
        ("SCALE_MAX_RUNS", "-1"),
        ("SCALE_PUBLIC_URL", "scale.example"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_the_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: value})
    assert name in str(refused.value)
    assert repr(value) in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCALE_DATABASE_URL", "postgres://scale:hunter2@db/scale"),
        ("SCALE_DATABASE_URL", "mysql://scale:hunter2/@x@db/scale"),
        ("SCALE_PUBLIC_URL", "https://me:hunter2@scale.example"),
    ],
)
def test_no_password_in_a_wrong_value_is_told(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match="://\\*\\*\\*@") as refused:
        load_settings({name: value})
    assert "hunter2" not in str(refused.value)


def test_receivers_are_separated_by_commas_or_spaces_and_may_hold_commas() -> None:
    text = "json://a/x,slack://token/one/two  mailto://u:p@b.example?to=c@d.example,e@f.example\n"
    assert load_settings({"SCALE_NOTIFY_URLS": text}).notify_urls == (
        "json://a/x",
        "slack://token/one/two",
        "mailto://u:p@b.example?to=c@d.example,e@f.example",
    )


def test_what_receivers_hold_is_never_shown() -> None:
    settings = load_settings({"SCALE_NOTIFY_URLS": "slack://s3cr3t/t0ken"})
    assert "s3cr3t" not in repr(settings)
    assert "s3cr3t" not in str(settings)


@pytest.mark.parametrize("text", ["s3cr3t", "json://a/x s3cr3t", "://s3cr3t", "json://"])
def test_a_receiver_that_is_no_url_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"SCALE_NOTIFY_URLS": text})
    assert "SCALE_NOTIFY_URLS" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_workers_of_other_machines_need_an_address_and_a_long_secret(tmp_path: Path) -> None:
    assert load_settings({}).limits.remote_workers == 0
    known = {"SCALE_WORKER_LISTEN": "0.0.0.0:5557", "SCALE_WORKER_SECRET": "s" * 32}
    assert load_settings(known).limits.remote_workers > 0
    assert load_worker_listener(known).secret == "s" * 32
    file = tmp_path / "secret"
    file.write_text("t" * 40 + "\n")
    assert load_worker_listener({"SCALE_WORKER_SECRET_FILE": str(file)}).secret == "t" * 40
    assert "ttt" not in repr(load_worker_listener({"SCALE_WORKER_SECRET_FILE": str(file)}))


@pytest.mark.parametrize(
    "environment",
    [
        {"SCALE_WORKER_LISTEN": "0.0.0.0:5557"},
        {"SCALE_WORKER_LISTEN": "0.0.0.0:5557", "SCALE_WORKER_SECRET": "short-secret"},
        {"SCALE_WORKER_LISTEN": "5557", "SCALE_WORKER_SECRET": "s" * 32},
        {"SCALE_WORKER_SECRET_FILE": "/no/such/file"},
    ],
)
def test_workers_settings_that_cannot_work_stop_the_start_and_show_no_secret(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="SCALE_WORKER_") as caught:
        load_settings(environment)
    assert "short-secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["a-secret", "http://:a-secret@host", "redis://", "redis:// :a-secret@host"])
def test_a_wrong_url_of_redis_is_told_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="SCALE_REDIS_URL is not accepted") as refused:
        load_settings({"SCALE_REDIS_URL": url})
    assert "a-secret" not in str(refused.value)
