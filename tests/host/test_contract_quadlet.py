"""The Generator port against the real generator: what is staged is what systemd will run."""

from pathlib import Path

from conftest import User

CONTRACTS = Path(__file__).parent / "contracts"
GOLDEN = Path(__file__).parents[1] / "core" / "golden" / "apps"

# Two options at least of each map in which the generator keeps them, for every kind of unit.
EVERY = {
    "e.container": """[Container]
Image=localhost/x:1
HostName=h
ShmSize=1m
Timezone=UTC
LogDriver=journald
DNS=1.1.1.1
DNS=1.0.0.1
DNSSearch=x
AddHost=a:1.1.1.1
Ulimit=nofile=100:100
Tmpfs=/tmp
ReadOnly=true
NoNewPrivileges=true
ReadOnlyTmpfs=true
Network=e.network
NetworkAlias=x
PublishPort=80:80
Environment=A=1 B=2 C=3
Label=a=b c=d
Annotation=a=b c=d
Sysctl=net.a=1 net.b=2
AddCapability=A B
DropCapability=C D
Exec=sh -c "echo -n a" --foo bar
HealthCmd=/x -y
PodmanArgs=--cpus 2
""",
    "e.network": "[Network]\nLabel=a=b c=d\nOptions=a=b c=d\nDriver=bridge\nDNS=1.1.1.1\n"
    "IPAMDriver=host-local\nInternal=true\nIPv6=true\nDisableDNS=true\n",
    "e.volume": "[Volume]\nLabel=a=b c=d\nDriver=local\nCopy=true\n",
    "e.pod": "[Pod]\nPublishPort=80:80\nPublishPort=81:81\nNetwork=e.network\n"
    "Volume=e.volume:/a\nPodmanArgs=--cpus 2\n",
    "e.build": "[Build]\nImageTag=localhost/b:1\nSetWorkingDirectory=unit\nAnnotation=a=b c=d\n"
    "Label=a=b c=d\nEnvironment=A=1 B=2\nDNS=1.1.1.1\nGroupAdd=1\nTarget=x\nPull=never\n"
    "Arch=amd64\nVariant=x\nForceRM=false\nTLSVerify=false\nAuthFile=/a\n",
    "e.image": "[Image]\nImage=localhost/i:1\nAllTags=true\nArch=amd64\nOS=linux\n"
    "TLSVerify=false\nCreds=a:b\nAuthFile=/b\nVariant=x\n",
    "ek.kube": "[Kube]\nYaml=./k.yaml\nConfigMap=./c.yaml\nPublishPort=80:80\nNetwork=e.network\n"
    "LogDriver=journald\nUserNS=auto\n",
    "k.yaml": "spec: {containers: [{image: localhost/x:1}]}\n",
    "c.yaml": "kind: ConfigMap\n",
    "Containerfile": "FROM scratch\n",
}


def test_generator(user: User) -> None:
    script = (CONTRACTS / "quadlet.py").read_text()
    user.run("/opt/podvisor/bin/python", "-W", "error", "-", input=script)


def test_a_run_of_the_generator_changes_no_digest(user: User) -> None:
    apps = {
        folder.name: {
            str(path.relative_to(folder)): path.read_text()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        for folder in sorted(GOLDEN.iterdir())
    }
    apps["every"] = EVERY
    script = (CONTRACTS / "quadlet_order.py").read_text()
    given = script.replace("= {}", f"= {apps!r}", 1)
    user.run("/opt/podvisor/bin/python", "-W", "error", "-", input=given, timeout=600)
