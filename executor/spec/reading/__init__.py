"""From the bytes of a description to its fields: documents, their form, the marks of fields, all faults. Pure."""
