//! The one integration binary: a module for each part of the tool, `support` for what they share.

mod adoption;
mod apply;
mod chart_language;
mod chart_oracle;
mod clusters;
mod compile;
mod credentials;
mod data_plane;
mod drift;
mod explain;
mod faults;
mod init;
mod invalid;
mod killed;
mod lease;
mod no_false_diffs;
mod rights;
mod run;
mod saved;
mod servers;
mod strict;
mod support;
mod two_runs;
mod validate;
mod waits;
mod waves;
