"""What agents tell of themselves."""

from harness.azure.host import AzureHost
from harness.azure.telemetry import AgentEvent, read_event
from tests.harness.azure.machines import GENERALIZED

FAILED = (
    '<Param Name="Name" Value="Kiln.Test.Probe" T="mt:wstr" /><Param Name="Version" Value="1.0.0" T="mt:wstr" />'
    '<Param Name="Operation" Value="Enable" T="mt:wstr" /><Param Name="OperationSuccess" Value="False" T="mt:bool" />'
    '<Param Name="Message" Value="exit status 5 &amp; &quot;no&quot; more" T="mt:wstr" />'
)


def test_reads_an_extensions_failure() -> None:
    event = read_event(FAILED)
    assert event == AgentEvent("Kiln.Test.Probe", "1.0.0", "Enable", False, 'exit status 5 & "no" more')
    assert event.failed


def test_reads_a_log_line() -> None:
    event = read_event('<Param Name="EventName" Value="Log"/><Param Name="Context1" Value="all is well"/>')
    assert (event.name, event.message, event.failed) == ("Log", "all is well", False)


def test_keeps_the_words_of_what_it_cannot_read() -> None:
    assert read_event("<Param Name=") == AgentEvent(message="<Param Name=")


def test_journals_what_failed_alone() -> None:
    host = AzureHost(GENERALIZED)
    host.take_telemetry(FAILED.replace("False", "True"))
    host.take_telemetry(FAILED)
    (entry,) = host.journal.find("agent")
    assert (entry.event, entry.details["of"]) == ("Enable failed", "Kiln.Test.Probe")
    assert [event.succeeded for event in host.telemetry] == [True, False]
