"""What each port promises, asked of its fake and of its real adapter alike.

A suite says what comes of right questions, and which of the two failures of wrong ones, of an
outside that is gone, and of one that never answers. The real adapters run here against what a test
can have without a host; tests/host/contracts holds them to the real outside.

| port | the real adapter here | on a host |
| --- | --- | --- |
| SourceReader | folders | tests/host/test_sources.py |
| Generator | a stand-in, and the installed one | test_contract_quadlet.py |
| Folder | folders | tests/host/test_deploying.py |
| Systemd | a bus of our own | test_contract_systemd.py |
| Podman | an API of our own | test_contract_podman.py |
| VolumeArchive | stand-ins for Podman and systemd | test_contract_podman.py |
| Secrets, Vault | files, age | tests/host/test_secrets.py |
| Tokens | an issuer of our own | |
| Listener | itself | tests/host/test_webhooks.py |
| GitHost | an HTTP server of our own | |
| PullRequests | a server that answers as Git hosts document it | test_git_writeback.py |
| Prober | an HTTP server of our own | tests/host/test_health_checks.py |
| FolderWatch | folders | tests/host/test_sources.py |
| Host | /proc, a bus of our own | test_contract_host.py |
| Aside | itself | |

`Ledger` has no fake: every test has a real one, whose own are in tests/adapters/ledger.
"""
