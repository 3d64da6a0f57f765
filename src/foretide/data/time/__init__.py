"""Times, frequencies, zones, calendars and seasons."""
