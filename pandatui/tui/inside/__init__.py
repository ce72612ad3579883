"""Views into a network that learns: its layers, what batch norm does, what it predicts."""
