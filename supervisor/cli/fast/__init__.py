"""What commands do, without click: `run`, `status` and `sync` neither wait for it nor hold it."""
