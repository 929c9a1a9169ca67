//! The conditions of `--fail-if`: their grammar, and whether they are true.
