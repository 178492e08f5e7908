"""The write path: facts go in, frames stand in the spool."""
