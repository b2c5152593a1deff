"""Which units should run, whether they are well, when one that broke is started again."""
