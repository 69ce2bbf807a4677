//! `stolos explain`: a page for every code.

use crate::support::command::{repository, stolos};

#[test]
fn a_code_is_explained_however_it_is_copied() {
    let expected = "\
network-unused: no cluster stands on this network

Nothing is made of a network on which no cluster stands. Either a cluster is missing, or the network
is a remnant.

Wrong:

    networks: { network1: {}, network2: {} }
    clusters:
      cluster1: { network: network1, role: primary }

Right:

    networks: { network1: {} }
    clusters:
      cluster1: { network: network1, role: primary }
[exit 0]
";
    for name in ["network-unused", "warning[network-unused]", "warning[network-unused]:", "[network-unused]"]
    {
        assert_eq!(stolos(&repository("."), &["explain", name]).to_string(), expected, "{name}");
    }
}

#[test]
fn a_code_that_is_none_suggests_one() {
    assert_eq!(
        stolos(&repository("."), &["explain", "netwrok-unused"]).to_string(),
        "\
------- stderr -------
error[code-unknown]: there is no code `netwrok-unused`
  help: did you mean `network-unused`? All of them: stolos explain
        stolos explain code-unknown
[exit 1]
"
    );
}

#[test]
fn the_list_has_every_code_once_by_name() {
    let ran = stolos(&repository("."), &["explain"]);
    let names: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    let mut codes: Vec<&str> = stolos::cli::codes().map(|code| code.name).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(names, codes);
}

#[test]
fn a_unit_that_others_install_says_so_and_has_no_file() {
    let topology = "topologies/external-multi-network.yaml";
    let ran = stolos(&repository("."), &["explain", "cluster2/control-plane", topology]);
    let said: Vec<&str> = ran.stdout.lines().take(5).collect();
    assert_eq!(
        said,
        [
            "cluster2/control-plane",
            "  Chart istiod: the control plane of a primary, or the remote profile that leads to one.",
            "  stage      6 of 9",
            "  installed  by others: release istiod, values cluster2/istiod.yaml",
            "  done when  others have installed release istiod as the topology asks",
        ],
        "{ran}"
    );
}
