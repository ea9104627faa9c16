"""The public web: which addresses may be fetched, within which limits, and how politely."""
