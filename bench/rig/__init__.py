"""What bench/run stands on: private servers, CPU accounts, the load generator, targets, bounds, the report."""
