"""The command line: thin commands, named as in the handbook, that call the stages and print what came of it."""
