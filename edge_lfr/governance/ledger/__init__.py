"""Who did what and when: lines, chained by digests and vouched for by the device key."""
