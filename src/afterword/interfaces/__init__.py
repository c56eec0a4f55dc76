"""The command line: thin, and the only room that knows arguments, terminals and the clock."""
