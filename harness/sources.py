"""Documents that more than one table of Azure's answers names."""

MESSAGES = "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/error-messages"
INFERRED = "inferred"
"""What stands where no document says so."""
