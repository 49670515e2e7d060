"""What bench/ratio stands on: private servers, CPU accounts, the load generator, the report."""
