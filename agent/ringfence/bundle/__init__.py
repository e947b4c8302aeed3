"""Rules and tables from files: found, read, unpacked, mapped into memory."""
