from supervisor.model.unit_name import instance_of, is_template, template_of


def test_template_names() -> None:
    assert is_template("web@.service")
    assert not is_template("web@1.service")
    assert instance_of("web@.service", "1") == "web@1.service"
    assert template_of("web@1.service") == template_of("web@.service") == "web@.service"
    assert template_of("web.service") == "web.service"
