"""What the integration tests stand on: servers, the program under test, and the oracles."""
