"""The nouns: frozen structs without behaviour, and the errors."""
