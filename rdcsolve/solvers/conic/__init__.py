"""The conic programme, handed to an independent solver as a cross-check."""
