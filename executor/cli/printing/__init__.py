"""How commands print: tables, paragraphs, units, terminals."""
