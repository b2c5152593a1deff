"""A workflow of GitHub's, which proves itself by an OIDC token (`core.githost.oidc`), not a secret.

https://docs.github.com/actions/concepts/security/openid-connect
"""

from supervisor.core.githost.host import Form, GitHost

_WORKFLOW = """\
on: push
permissions:
  id-token: write
jobs:
  tell-podvisor:
    runs-on: ubuntu-latest
    steps:
      - run: |
          token=$(curl -fsS -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience={audience}" | jq -r .value)
          curl -fsS -X POST -H "Authorization: Bearer $token" {url}"""

HOST = GitHost(
    name="github-actions",
    checked_by="Authorization: Bearer, a token for the audience",
    form=Form(
        where="Commit this as .github/workflows/podvisor.yml",
        fields={"URL": "{url}", "Repository": "{repository}", "Audience": "{audience}"},
        text=(_WORKFLOW,),
    ),
)
