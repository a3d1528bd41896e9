"""The clouds of Azure: where each has its resource manager, its sign-in and its storage.

Source: the endpoints that `az cloud list` shows. A cloud of one's own (Azure Stack Hub, the playground) is described in
the target's `[endpoints]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cloud:
    """A cloud: URLs of resource manager and sign-in, and `blob`, an account's blobs with {account} for its name.

    `certificate` is a file with the authority that signed its certificates, where the machine does not know it;
    `known` says whether Microsoft's own sign-in can confirm its authority.
    """

    name: str
    resource_manager: str
    authority: str
    blob: str
    certificate: str = ""
    known: bool = True

    @property
    def scope(self) -> str:
        """What a token for its resource manager is asked for."""
        return f"{self.resource_manager}/.default"


PUBLIC = Cloud(
    "public",
    "https://management.azure.com",
    "https://login.microsoftonline.com",
    "https://{account}.blob.core.windows.net",
)
USGOV = Cloud(
    "usgov",
    "https://management.usgovcloudapi.net",
    "https://login.microsoftonline.us",
    "https://{account}.blob.core.usgovcloudapi.net",
)
CHINA = Cloud(
    "china",
    "https://management.chinacloudapi.cn",
    "https://login.chinacloudapi.cn",
    "https://{account}.blob.core.chinacloudapi.cn",
)
CLOUDS: Mapping[str, Cloud] = {one.name: one for one in (PUBLIC, USGOV, CHINA)}
