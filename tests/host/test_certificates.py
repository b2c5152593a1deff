"""Certificates on a real host, from Pebble: what runs serves them, and goes on serving."""

import json


def test_the_issuer_of_these_tests_answers(user, acme):
    def asked(*arguments):
        return user.run("curl", "-fsS", "--cacert", acme.authority, *arguments).stdout

    directory = json.loads(asked(acme.directory))
    assert asked("-I", directory["newNonce"]).lower().count("replay-nonce:") == 1
    assert "BEGIN CERTIFICATE" in user.read("acme/root.pem")
    assert acme.requests("/nonce-plz") == ["/nonce-plz"]
    assert acme.orders() == 0
    assert acme.issued() == []
