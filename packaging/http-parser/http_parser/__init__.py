"""http-parser's name and interface, as far as pymesos uses them; see http_parser.http."""

version_info = (0, 9, 0)
__version__ = "0.9.0+h11"
