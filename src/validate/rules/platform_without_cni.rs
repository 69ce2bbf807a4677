//! A platform whose values leave redirection to a node agent, without a word of one.

use super::*;
use crate::topology::Platform;

static CODE: Code = Code {
    name: "platform-without-cni",
    summary: "this platform's pods rely on a node agent, and the file does not say whose",
    page: include_str!("../pages/platform-without-cni.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    if topology.is_on_embedded_charts() {
        return;
    }
    let Some(platform) = &topology.istio.platform else { return };
    match platform.value {
        // `pilot.cni.enabled: true` in files/profile-platform-openshift.yaml, 1.24 to 1.31; in no other.
        Platform::Openshift if topology.istio.cni.is_none() => {
            let finding = Diagnostic::warning(&CODE, platform.span, "its pods wait for a node agent");
            found.push(finding.with_help(
                "write `cni: enabled` beside it to have it installed, or `cni: external` where somebody else did.",
            ));
        }
        Platform::Openshift
        | Platform::Gke
        | Platform::K3d
        | Platform::K3s
        | Platform::Microk8s
        | Platform::Minikube => {}
    }
}
