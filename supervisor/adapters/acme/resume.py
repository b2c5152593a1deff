"""Find the order again that an earlier process began."""

import time
from collections.abc import Sequence

from supervisor.adapters.acme.memory import Memory
from supervisor.adapters.acme.network import Network, links
from supervisor.adapters.acme.refusals import Refused, is_passing
from supervisor.adapters.acme.replies import IssuerError, OrderList, OrderState
from supervisor.model.certificate import CertificateTerms

_LONGEST_ORDER = 3 * 86_400.0
"""Who approves orders by hand may take a weekend; the shortest lives of certificates are a week."""
_MANY_ORDERS = 10
_MANY_PAGES = 20


def under_way(network: Network, memory: Memory, listed: str) -> tuple[str, OrderState | None]:
    """Return the URL and the state of the order that can go on; neither if there is none.

    `listed` is the URL of the account's orders. Raises Refused or IssuerError.
    """
    remembered = memory.recall()
    if remembered is None:
        return "", None
    urls = [remembered.url] if remembered.url else _orders(network, listed)
    for url in urls:
        try:
            state, _ = network.ask(url, OrderState)
        except IssuerError as error:
            if is_passing(error):
                raise
            continue  # it is forgotten there: a new one has to do
        if _is_ours(state, remembered.terms) and not _is_stuck(state, remembered.since, network):
            if not remembered.url:
                memory.placed(url)
            return url, state
    return "", None


def _orders(network: Network, url: str) -> Sequence[str]:
    """Return the account's last orders, where the issuer has a list of them."""
    found: list[str] = []
    for _ in range(_MANY_PAGES):
        if not url:
            break
        try:
            page, response = network.ask(url, OrderList)
        except (IssuerError, Refused):
            break  # then a new one has to do
        found += page.orders
        url = next(iter(links(response, "next")), "")
    return found[-_MANY_ORDERS:][::-1]


def _is_ours(state: OrderState, terms: CertificateTerms) -> bool:
    wanted, said = terms.profile, state.profile
    return (
        state.status in {"pending", "ready", "processing", "valid"}
        and {one.value for one in state.identifiers} == {*terms.domains}
        and not (wanted and said and wanted != said)
    )


def _is_stuck(state: OrderState, since: float, network: Network) -> bool:
    """Whether nothing comes of it any more, be the issuer never so patient."""
    now = time.time()
    is_over = 0 < state.expires_at <= now - network.ahead
    is_over |= abs(now - since) > _LONGEST_ORDER
    return is_over and state.status != "valid"
