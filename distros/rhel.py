"""Red Hat Enterprise Linux: its archive is for subscribers, who show their entitlement's certificate.

Settings follow the definitions of Red Hat's own Azure images (osbuild). An image made here is to be uploaded as one
that brings its own subscription (licence type RHEL_BYOS): Azure's own update service, RHUI, is for Marketplace images.
"""

from distros import enterprise
from distros.recipe import Repository

HOST = "https://cdn.redhat.com"
KEY = "567E347AD0044ADE55BA8A5F199E2F91FD431D51"
KEYRINGS = {
    "9": f"{enterprise.KEYS}/redhat/RPM-GPG-KEY-redhat9-release",
    # The plain file of 10 holds a post-quantum key besides, which the tools' rpm cannot read.
    "10": f"{enterprise.KEYS}/redhat/RPM-GPG-KEY-redhat10-release-without-PQC",
}


def repositories(release: str) -> tuple[Repository, ...]:
    """The repositories of the release's newest minor version."""
    return tuple(
        Repository(
            name=f"rhel-{release}-{name}",
            url=f"{HOST}/content/dist/rhel{release}/{release}/{{arch}}/{name}/os",
            # As Satellite and reposync keep it.
            path=f"content/dist/rhel{release}/{release}/{{arch}}/{name}/os",
            keyring=KEYRINGS[release],
            keys=(KEY,),
            signed_metadata=False,
            source="Red Hat publishes no signatures of metadata: ComplianceAsCode/content issue 1596",
            # The certificate of this key in the bundle of 9 is bound by SHA-1.
            sha1_key=release == "9",
            access="entitlement",
        )
        for name in ("baseos", "appstream")
    )


WITHHELD = enterprise.WITHHELD
RECIPES = enterprise.recipes(
    enterprise.Distribution(
        name="rhel",
        title="Red Hat Enterprise Linux",
        vendor="redhat",
        repositories=repositories,
        ends={"9": "2032-05-31", "10": "2035-05-31"},
        # @Server, as Red Hat's image has it; the repositories come with the subscription that the owner registers.
        packages=("redhat-release", "firewalld", "insights-client", "subscription-manager", "patch", "uuid"),
        services=("firewalld.service",),
    )
)
