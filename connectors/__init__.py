"""How each agency's system is read and turned into the common model: one folder per agency, same parts in each."""
