//! The `stolos` command.

fn main() {}
