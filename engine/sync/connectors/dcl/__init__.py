"""DCL Logistics: a warehouse that packs and sends for merchants, asked through its eFactory interface."""
