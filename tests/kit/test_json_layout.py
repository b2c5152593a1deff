"""One value of a JSON text changes; all else stays as it was written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.kit.json_layout import put

DEBIANS = """\
{
    "default": [
        {
            "type": "insecureAcceptAnything"
        }
    ]
}
"""
FEDORAS = """\
{
    "default": [{"type": "insecureAcceptAnything"}],
    "transports":
        {
            "docker": {
                "quay.io/b": [{"type": "reject"}],
                "quay.io/a": [{"type": "reject"}]
            },
            "docker-daemon":
                {
                    "": [{"type":"insecureAcceptAnything"}]
                }
        }
}
"""
PATH = ("transports", "docker", "quay.io/a")


def test_objects_are_made_where_they_lack():
    assert put(DEBIANS, PATH, ["x"]) == DEBIANS.replace(
        "    ]\n}",
        """\
    ],
    "transports": {
        "docker": {
            "quay.io/a": [
                "x"
            ]
        }
    }
}""",
    )


def test_a_value_is_replaced_where_it_stands():
    new = put(FEDORAS, PATH, ["x"])
    before = '"quay.io/a": [{"type": "reject"}]'
    margin = " " * 16
    assert new == FEDORAS.replace(before, f'"quay.io/a": [\n{margin}    "x"\n{margin}]')


def test_a_new_one_comes_last():
    new = put(FEDORAS, (*PATH[:2], "quay.io/c"), 1)
    last = '"quay.io/a": [{"type": "reject"}]'
    assert new == FEDORAS.replace(last, f'{last},\n                "quay.io/c": 1')


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("{}", '{\n    "a": {\n        "b": 1\n    }\n}'),
        ('{"c":2}', '{"c":2, "a": {"b": 1}}'),
        (' {"a": { } } ', ' {"a": {\n     "b": 1\n } } '),
        ('{"a":{"b":[2,{"b":3}]}}', '{"a":{"b":1}}'),
        ('{"ä":"\\"}{","a":{"c":0}}', '{"ä":"\\"}{","a":{"c":0, "b": 1}}'),
        ('{\n\t"c": 2\n}', '{\n\t"c": 2,\n\t"a": {\n\t\t"b": 1\n\t}\n}'),
    ],
)
def test_layouts(text, new):
    assert put(text, ("a", "b"), 1) == new


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "the whole is no object"),
        ('{"a": 1}', "a is no object"),
        ('{"a": {}, "a": {}}', "“a” stands there twice"),
        ("{" * 10, "Expecting"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_changed(text, why):
    with pytest.raises(ValueError, match=why):
        put(text, ("a", "b"), 1)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(st.text(max_size=4), documents, max_size=4)


@given(
    _OBJECTS,
    st.sampled_from([None, 0, 1, 4, "\t"]),
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
    documents,
)
def test_it_says_what_it_should_and_keeps_the_order(document, indent, path, value):
    text = json.dumps(document, indent=indent)
    inner = document
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            with pytest.raises(ValueError, match="is no object"):
                put(text, path, value)
            return
    inner[path[-1]] = value
    new = put(text, path, value)
    assert json.dumps(json.loads(new)) == json.dumps(document)
