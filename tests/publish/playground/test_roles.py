"""Role assignments, by azure-mgmt-authorization."""

import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient

from publish.playground.azure import GROUP, Playground
from publish.playground.world import SUBSCRIPTION
from tests.publish.playground.bodies import BELOW, PLACE, code

pytestmark = pytest.mark.real
READER = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{uuid.UUID(int=7)}"


def assign(roles: AuthorizationManagementClient, scope: str, who: str) -> str:
    name = str(uuid.uuid4())
    told = {"roleDefinitionId": READER, "principalId": who, "principalType": "Group"}
    roles.role_assignments.create(scope, name, {"properties": told})  # type: ignore[arg-type]
    return name


def who(roles: AuthorizationManagementClient, scope: str) -> set[str | None]:
    return {one.principal_id for one in roles.role_assignments.list_for_scope(scope)}


@pytest.fixture
def scope(gallery: str) -> str:
    return f"{BELOW}/Microsoft.Compute/galleries/{gallery}"


def test_gives_a_role_once(roles: AuthorizationManagementClient, scope: str) -> None:
    assign(roles, scope, "someone")
    with pytest.raises(HttpResponseError) as caught:
        assign(roles, scope, "someone")
    assert code(caught) == "RoleAssignmentExists"
    assert who(roles, scope) == {"someone"}


def test_counts_roles_of_what_a_scope_belongs_to(roles: AuthorizationManagementClient, scope: str) -> None:
    group = scope.split("/providers/")[0]
    above, here = str(uuid.uuid4()), str(uuid.uuid4())
    name = assign(roles, group, above)
    assign(roles, scope, here)
    assert who(roles, scope) == {above, here}
    assert here not in who(roles, group)
    roles.role_assignments.delete(group, name)
    assert who(roles, scope) == {here}


def test_takes_no_gallery_for_another_whose_name_begins_so(
    roles: AuthorizationManagementClient, scope: str, compute: ComputeManagementClient
) -> None:
    longer = f"{scope.rsplit('/', 1)[1]}longer"
    compute.galleries.begin_create_or_update(GROUP, longer, {"location": PLACE, "properties": {}}).result()
    assign(roles, scope, "someone")
    assert who(roles, f"{scope}longer") == set()


def test_needs_what_a_role_is_for(roles: AuthorizationManagementClient, playground: Playground) -> None:
    with pytest.raises(HttpResponseError) as caught:
        assign(roles, f"{BELOW}/Microsoft.Compute/galleries/none", "someone")
    assert code(caught) == "ResourceNotFound"
    playground.world.faults.denied.add("Microsoft.Authorization/roleAssignments/write")
    with pytest.raises(HttpResponseError) as caught:
        assign(roles, f"{BELOW}/Microsoft.Compute/galleries/none", "someone")
    assert code(caught) == "AuthorizationFailed"
