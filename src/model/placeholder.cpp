namespace glassgpt {}
