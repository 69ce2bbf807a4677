//! API servers that fail, anywhere: a run comes to its end, or says clearly what kept it from that; and the
//! next run of the same command brings about what an undisturbed one does.

mod case;
mod fault;
mod scenarios;
mod servers;
mod simulated;

const FILE: &str = "primary-remote-multi-network.yaml";
const APPLY: &[&str] = &["apply", "--auto-approve", "--timeout", "12s"];
const DESTROY: &[&str] = &["destroy", "--auto-approve", "--timeout", "12s"];
