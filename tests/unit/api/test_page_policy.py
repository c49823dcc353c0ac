"""Which scripts of a page may run."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path

from scale_app.api.page_policy import inline_hashes, page_policy, policy_for


def named(script: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def test_scripts_within_the_html_are_named_by_their_hashes_and_no_others() -> None:
    html = (
        '<head><script>\nif (a < b && "</p>") {}\n</script><script src="/x.js"></script><style>p{}</style></head>'
        '<body>text<script type="module" async="">import "/y.js"</script> more</body>'
    )
    assert inline_hashes(html) == {named('\nif (a < b && "</p>") {}\n'), named('import "/y.js"')}


def test_the_policy_is_made_of_all_pages_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "index.html").write_text("<script>one</script>")
    (tmp_path / "runs" / "index.html").write_text("<script>two</script>")
    (tmp_path / "other.js").write_text("<script>three</script>")
    policy = page_policy(tmp_path)
    assert (named("one") in policy, named("two") in policy, named("three") in policy) == (True, True, False)
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in scripts


def test_without_a_built_page_only_the_servers_own_files_run(tmp_path: Path) -> None:
    assert "script-src 'self' 'unsafe-eval';" in page_policy(tmp_path / "missing")


def test_data_may_load_nothing_and_other_files_have_no_policy() -> None:
    assert policy_for("text/html; charset=utf-8", "of a page") == "of a page"
    assert policy_for("application/json", "of a page").startswith("default-src 'none'")
    assert policy_for("text/javascript", "of a page") == ""
