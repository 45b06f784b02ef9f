"""From verdicts to what people and tools read: the report, its renderings, waivers, reproducers."""
