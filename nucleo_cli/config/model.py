"""Every key of nucleo.yml. The reader, the JSON Schema and the documented example all come from these tables."""

from nucleo_cli.config.hosts import DOMAIN, ISSUER, MAX_AGE, TTL
from nucleo_cli.config.kinds import BOOLEAN, Field, Keyed, Listed, Named, choice, whole
from nucleo_cli.config.rules import EGRESS_IP, FROM, RATE, TO, different_rules, http_rule
from nucleo_cli.config.scripts import Command
from nucleo_cli.config.values import (
    ARCHITECTURE,
    CONTEXT,
    CPU,
    ENV_NAME,
    ENV_VALUE,
    ENVIRONMENT,
    HTTP_METHOD,
    HTTP_PATH,
    MEMORY,
    PACKAGE,
    PLATFORM,
    PORT,
    REPLICAS,
    ROOT,
    SECRET_NAME,
    SYSCTL,
    SYSCTL_VALUE,
    TIMEOUT,
    URL_PATH,
    check_env_name,
    check_environment,
    check_sysctl,
    different,
    distinct,
    label,
)

DEFAULT_PORTS = ("8080:80",)
DEFAULT_CPU_THRESHOLD = 80
LONGEST_NAME = 40

# 40 and "-" and the 20 of an environment make a namespace of at most 63; a Helm release ends at 53, and the names of
# pods and volumes need room behind it.
NAME = Field(
    "name",
    label("a name", LONGEST_NAME, " (it becomes part of Helm's and Kubernetes' names)"),
    "The app's name. Default: the name of the folder, made a DNS label.",
    ("shop",),
)

_PLATFORM = Field(
    "platform",
    PLATFORM,
    "What the app is built with. A version follows a colon; otherwise the repository's own files say which.",
    ("python", "python:3.13"),
)

_CMD = Keyed(
    (
        Field(
            "start",
            Command(),
            "What starts the app: a script of the repository, or a command line. Default: the platform's.",
            ("nucleo/start.sh",),
        ),
        Field(
            "pre_stop",
            Command(),
            "Runs in the container before it is stopped: a script of the repository, or a command line.",
            ("nucleo/pre_stop.sh",),
        ),
    ),
    "a mapping with start and pre_stop",
)

_SCALE = Keyed(
    (
        Field("replicas", REPLICAS, "How many pods: a fixed number, or a range.", ("2-20", 3)),
        Field(
            "cpu_threshold",
            whole(1, 100),
            "Percent of the requested CPU above which pods are added. Needs a range. Default: 80, if neither is given.",
            (50,),
        ),
        Field(
            "memory_threshold",
            whole(1, 100),
            "Percent of the requested memory above which pods are added. Needs a range.",
            (80,),
        ),
    ),
    'a number, a range such as "2-20", or a mapping',
    shorthand="replicas",
)

_RESOURCES = Keyed(
    (
        Field("cpu", CPU, "Cores, as REQUEST-LIMIT; one value is both.", ("250m-1", "500m")),
        Field("memory", MEMORY, "Memory, as REQUEST-LIMIT; one value is both.", ("256Mi-512Mi", "1Gi")),
    ),
    "a mapping with cpu and memory",
)

_HEALTH = Keyed(
    (
        Field(
            "path",
            URL_PATH,
            "An HTTP path that answers 2xx or 3xx when the app is well. Default: that the port accepts connections.",
            ("/healthz",),
        ),
        Field("timeout", TIMEOUT, "How long an answer may take; a number is seconds.", ("2s", "500ms", 2), "2s"),
    ),
    "a mapping with path and timeout",
)

_HTTP = Keyed(
    (
        Field("from", FROM, "Who may send these requests, as in `from`.", ("app:reports",)),
        Field(
            "methods",
            Listed(HTTP_METHOD, "a list such as [GET, POST]", different, optional=False),
            "The methods of the requests. Default: every method.",
            (["GET"],),
        ),
        Field(
            "paths",
            Listed(HTTP_PATH, 'a list such as ["/api/*"]', different, optional=False),
            "Their paths; one that ends in * is a prefix. Default: every path.",
            (["/api/*", "/healthz"],),
        ),
    ),
    "a mapping with from, methods and paths",
    required=("from",),
)

_NETWORK = Keyed(
    (
        Field(
            "mode",
            choice("enforce", "audit"),
            "Whether what no rule allows is dropped, or only counted and shown.",
            ("enforce", "audit"),
            "enforce",
        ),
        Field(
            "default",
            choice("allow", "deny"),
            "What holds for a direction that is not written: allow leaves it open, deny closes it.",
            ("allow", "deny"),
            "allow",
        ),
        Field(
            "from",
            Listed(FROM, 'a list such as ["app:web"]', different_rules, 'for example from: ["app:web"]; [] for nobody'),
            "Who may connect to the app, and to which ports; its own processes and health checks always may.",
            (["ingress", "app:web", "cidr:10.0.0.0/8:5432"], []),
        ),
        Field(
            "to",
            Listed(TO, 'a list such as ["app:users"]', different_rules, 'for example to: ["app:users"]; [] for nobody'),
            "What the app may connect to, and on which ports; its own processes and the cluster's DNS it always may.",
            (["app:users:8080", "dns:api.stripe.com:443", "internet:443"], []),
        ),
        Field(
            "http",
            Listed(_HTTP, "a list of mappings", http_rule, 'for example http: [{from: "app:web", methods: [GET]}]'),
            "Who may send some requests and no others. Nobody else may connect, unless `from` says so.",
            ([{"from": "app:reports", "methods": ["GET"], "paths": ["/api/*"]}],),
        ),
        Field(
            "limits",
            Keyed(
                (Field("egress", RATE, "Bits per second that each pod may send.", ("10M",)),), "a mapping with egress"
            ),
            "How much traffic each pod may cause.",
            ({"egress": "10M"},),
        ),
        Field(
            "egress_ip",
            EGRESS_IP,
            "The address that connections to outside of the cluster come from; a node must have it.",
            ("203.0.113.7",),
        ),
    ),
    "a mapping with from and to",
)

_TLS = Keyed(
    (
        Field(
            "issuer",
            ISSUER,
            "Who signs the certificates: nucleo, or cert-manager's ClusterIssuer/NAME or Issuer/NAME. Default: the "
            "cluster's setting.",
            ("ClusterIssuer/letsencrypt",),
        ),
        Field("redirect", BOOLEAN, "Whether HTTP leads to HTTPS where there is a certificate.", (True, False), True),
        Field(
            "hsts",
            MAX_AGE,
            "How long browsers may remember to use HTTPS alone: 180d, or a number of seconds. Default: no such header.",
            ("180d",),
        ),
    ),
    "a mapping with issuer, redirect and hsts",
)

_LAYERED = (
    Field(
        "ports",
        Listed(PORT, 'a list such as ["8080:80"]', distinct, 'for example ports: ["8080:80"]; [] for none'),
        "INTERNAL:EXTERNAL; a bare INTERNAL is reachable only inside the cluster. External 80 and 443 are HTTP routes.",
        (["8080:80", "9090"], []),
        list(DEFAULT_PORTS),
    ),
    Field("cmd", _CMD, "The app's commands.", ({"start": "nucleo/start.sh"},)),
    Field("scale", _SCALE, "How many pods, and when to add more.", ({"replicas": "2-20", "cpu_threshold": 50}, 3)),
    Field(
        "resources", _RESOURCES, "What each pod asks for and may use.", ({"cpu": "250m-1", "memory": "256Mi-512Mi"},)
    ),
    Field(
        "kernel",
        Named(
            "a mapping of sysctls to values",
            "a sysctl such as net.core.somaxconn",
            check_sysctl,
            SYSCTL_VALUE,
            f"^{SYSCTL}$",
        ),
        "Sysctls of the app's own pods.",
        ({"net.core.somaxconn": 1024},),
    ),
    Field("health", _HEALTH, "How the cluster asks whether a pod is well.", ({"path": "/healthz", "timeout": "2s"},)),
    Field(
        "env",
        Named(
            "a mapping of names to values",
            'letters, digits and "_", not beginning with a digit',
            check_env_name,
            ENV_VALUE,
            f"^(?!PORT$){ENV_NAME}$",
            hidden=True,
        ),
        "Config vars: names and values that the app sees in its environment, as they are written here.",
        ({"LOG_LEVEL": "info"},),
    ),
    Field(
        "domains",
        Listed(DOMAIN, "a list such as [shop.example.com]", different, "for example domains: [shop.example.com]"),
        "Host names of the app's own; *.example.com is every name one label below example.com.",
        (["shop.example.com"],),
    ),
    Field("tls", _TLS, "HTTPS of the domains.", ({"hsts": "180d"},)),
    Field(
        "dns",
        Keyed(
            (
                Field(
                    "ttl", TTL, "How long resolvers may keep an answer: 5m, or a number of seconds.", ("5m", 60), "5m"
                ),
            ),
            "a mapping with ttl",
        ),
        "The records of the domains.",
        ({"ttl": "5m"},),
    ),
    Field(
        "network",
        _NETWORK,
        "Whom the app may talk to, and who may talk to it.",
        ({"from": ["ingress", "app:web"], "to": ["app:users", "dns:api.stripe.com:443"]},),
    ),
)

_BUILT = (
    Field(
        "apt",
        Listed(PACKAGE, "a list such as [ffmpeg]", different, "for example apt: [ffmpeg]"),
        "Debian packages that the app needs beside its platform's, while it is built and while it runs.",
        (["ffmpeg"],),
    ),
    Field(
        "build",
        Keyed(
            (
                Field(
                    "root",
                    ROOT,
                    "The top of the source tree, for an app of a monorepo; relative to the folder of this file.",
                    ("../..",),
                    ".",
                ),
                Field(
                    "architectures",
                    Listed(ARCHITECTURE, "a list such as [amd64, arm64]", different),
                    "What the image runs on, where the platform can build for it. Default: the cluster's nodes.",
                    (["amd64", "arm64"],),
                ),
                Field(
                    "env",
                    Named(
                        "a mapping of names to values",
                        'letters, digits and "_", not beginning with a digit',
                        check_env_name,
                        ENV_VALUE,
                        f"^(?!PORT$){ENV_NAME}$",
                        hidden=True,
                    ),
                    "What the steps of the build see in their environment, and the app does not.",
                    ({"VITE_API": "https://api.example.com"},),
                ),
                Field(
                    "secrets",
                    Listed(SECRET_NAME, "a list such as [NPM_TOKEN]", different),
                    "Variables of the machine that builds which the steps may see. Nothing of them is in the image.",
                    (["NPM_TOKEN"],),
                ),
            ),
            "a mapping with root, architectures, env and secrets",
        ),
        "How the image is built, the same for every environment.",
        ({"root": "../.."},),
    ),
)

_ENVIRONMENT = Keyed(
    (
        Field(
            "cluster",
            CONTEXT,
            "The kubeconfig context that this environment deploys to, and no other.",
            ("prod-tokyo",),
        ),
        Field(
            "namespace",
            label("a namespace", 63),
            "The Kubernetes namespace. Default: the app's name and the environment's, with a dash between.",
            ("shop",),
        ),
        *_LAYERED,
    ),
    elsewhere={
        each.key: ("is the same in every environment", "write it at the top of the file")
        for each in (NAME, _PLATFORM, *_BUILT, Field("environments", Command(), "", ()))
    },
)

NUCLEO_YML = Keyed(
    (
        NAME,
        _PLATFORM,
        *_BUILT,
        *_LAYERED,
        Field(
            "environments",
            Named(
                "a mapping of environments",
                'at most 20 lower-case letters, digits and "-", beginning with a letter',
                check_environment,
                _ENVIRONMENT,
                f"^{ENVIRONMENT}$",
            ),
            "Named overlays. Mappings are merged with the values above; lists and single values replace them.",
            ({"production": {"cluster": "prod-tokyo", "scale": {"replicas": "4-40"}}},),
        ),
    ),
    "a mapping of keys, such as `platform: python`",
    elsewhere={
        key: ("belongs to an environment", f"environments: {{production: {{{key}: …}}}}")
        for key in ("cluster", "namespace")
    },
)


def fields(keyed: Keyed = NUCLEO_YML, prefix: str = "") -> dict[str, Field]:
    """Every field by its dotted path; those of an environment below `environments.*`."""
    found: dict[str, Field] = {}
    for each in keyed.fields:
        path = prefix + each.key
        found[path] = each
        if isinstance(each.kind, Keyed):
            found |= fields(each.kind, f"{path}.")
    if keyed is NUCLEO_YML:
        found |= fields(_ENVIRONMENT, "environments.*.")
    return found
