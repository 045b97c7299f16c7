"""WooCommerce: a merchant's own WordPress store, of which orders are read. The smallest connector there is: the example
of docs/howto/write-a-connector.md.
"""
