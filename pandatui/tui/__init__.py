"""The screen: the only part that knows Textual, and, in `plotting`, plotext. It holds no truth of its own."""
