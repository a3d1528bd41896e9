"""Does an image behave on Azure: the pretend host, the machine, the guest, checks, scenarios, verdicts."""
