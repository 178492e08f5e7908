"""Where bytes live: spool, Lance tables, ledger."""
