# Statements and migrations become C: the programs carry their SQL.
