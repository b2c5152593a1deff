"""The ledger: the durable record, in one SQLite file.

`store.SqliteLedger` serves `controllers.ports.Ledger` to the daemon, its only writer;
`schema.reading` lets the command line look into the file where no daemon runs.
"""
