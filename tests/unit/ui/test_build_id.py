"""A build is known by its modules, wherever they lie."""

from scale_app.ui import BUILD_ID, build_id


def package(folder, **modules):
    for name, text in modules.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_same_modules_give_the_same_id_in_another_folder(tmp_path):
    one = build_id(package(tmp_path / "one", a="1", b="2"))
    assert build_id(package(tmp_path / "two", a="1", b="2")) == one


def test_a_changed_or_renamed_module_gives_another_id(tmp_path):
    ids = [
        build_id(package(tmp_path / "one", a="1", b="2")),
        build_id(package(tmp_path / "two", a="1", b="3")),
        build_id(package(tmp_path / "three", a="1", c="2")),
        BUILD_ID,
    ]
    assert len(set(ids)) == 4
