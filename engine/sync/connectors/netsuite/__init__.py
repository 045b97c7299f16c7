"""NetSuite by SuiteTalk REST: records, transforms and SuiteQL."""
