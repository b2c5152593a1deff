"""Settings of the page; part of `model.settings`."""

from typing import Annotated

import msgspec

from supervisor.model.setting_rule import Rule
from supervisor.model.setting_types import Seconds, SecretRef


class WebSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[web]`: a page that shows how everything stands; `podvisor setup` takes these up."""

    listen: Annotated[str, Rule(example="127.0.0.1:9079", format="page")] = ""
    """ADDRESS:PORT of this machine itself, such as `127.0.0.1:9079`, or the path of a Unix socket,
    for a reverse proxy; empty is not at all."""
    hosts: Annotated[
        tuple[str, ...], Rule(example=("podvisor.example.org",), may_be_empty=False, format="name")
    ] = ()
    """Names by which a reverse proxy is reached that leads here; others are refused."""
    actions: bool = False
    """Whether it takes orders: to sync, roll back, suspend and so on. They need `token` or
    `user_header`, for the event log names who ordered what."""
    token: SecretRef = SecretRef("")
    """Where the token is (`file:` or `credential:`) by which people log in and programs ask, at
    least 20 characters; needed wherever `listen` is not this machine alone."""
    require_login: bool = False
    """Whether who only looks has to say who it is, too, by `token` or `user_header`; who comes from
    other machines always has to."""
    user_header: Annotated[str, Rule(example="Remote-User", format="header")] = ""
    """The header in which a reverse proxy that has people log in says who it is. Whoever reaches
    `listen` can write it: that should be a Unix socket that only the proxy has."""
    idle: Annotated[Seconds, Rule(example="5m", may_be_zero=True)] = Seconds(300)
    """Its process ends when nobody has asked for so long, and begins with the next who does; 0s is
    never."""
