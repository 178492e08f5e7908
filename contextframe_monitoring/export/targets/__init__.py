"""Where metrics are sent: one file for each kind of target."""
