class PeerError(Exception):
    """What was asked for cannot be built or measured here; the message ends in one line for the user."""
