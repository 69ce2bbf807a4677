//! Waves: one after the other for what disrupts, none for what does not, and never a circle.

use proptest::prelude::*;

use super::*;
use crate::plan::tests::removals::before;

/// Three primaries on one network, each with its own pod annotation of istiod.
fn three(annotations: [&str; 3], rollout: &str) -> String {
    let cluster = |(position, annotation): (usize, &str)| {
        let number = position + 1;
        format!(
            "  cluster{number}: {{ network: network1, role: primary, pods: [10.{number}.0.0/16], \
             values: {{ istiod: {{ pilot: {{ podAnnotations: {{ note: {annotation} }} }} }} }} }}\n"
        )
    };
    let clusters: String = annotations.into_iter().enumerate().map(cluster).collect();
    format!(
        "version: 1\nmesh: {{ id: mesh1 }}\nistio: {{ version: 1.30.3, charts: embedded }}\n\
         trust: {{ root: generate }}\nnetworks: {{ network1: {{}} }}\nclusters:\n{clusters}{rollout}\n"
    )
}

fn applied(text: &str) -> World {
    let desired = desired(text);
    let mut world = World::new(&desired);
    world.apply(&desired);
    world
}

/// `1 cluster1/control-plane` for each step that goes in a wave.
pub(super) fn waves(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().filter_map(|step| Some(format!("{} {}", step.wave?, step.id())));
    let mut steps: Vec<String> = steps.collect();
    steps.sort();
    steps
}

fn step<'p>(plan: &'p Plan, id: &str) -> &'p Step {
    plan.steps.iter().find(|step| step.id().to_string() == id).unwrap()
}

#[test]
fn without_a_rollout_one_cluster_restarts_after_the_other() {
    let world = applied(&three(["a", "a", "a"], ""));
    let plan = world.plan(&desired(&three(["b", "b", "b"], ""))).unwrap();
    assert_eq!(
        waves(&plan),
        ["1 cluster1/control-plane", "2 cluster2/control-plane", "3 cluster3/control-plane"]
    );
    assert_eq!(
        step(&plan, "cluster2/control-plane").after.last().unwrap().to_string(),
        "cluster1/control-plane"
    );
    assert_eq!(
        step(&plan, "cluster3/control-plane").after.last().unwrap().to_string(),
        "cluster2/control-plane"
    );
}

#[test]
fn a_rollout_is_kept_and_clusters_that_it_does_not_name_come_last() {
    let world = applied(&three(["a", "a", "a"], ""));
    let plan = world.plan(&desired(&three(["b", "b", "b"], "rollout: [[cluster3, cluster2]]"))).unwrap();
    assert_eq!(
        waves(&plan),
        ["1 cluster2/control-plane", "1 cluster3/control-plane", "2 cluster1/control-plane"]
    );
    let names = |wave: &BTreeSet<ClusterName>| wave.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        plan.waves.iter().map(names).collect::<Vec<_>>(),
        [vec!["cluster2", "cluster3"], vec!["cluster1"]]
    );
}

#[test]
fn a_wave_in_which_nothing_changes_is_none() {
    let world = applied(&three(["a", "a", "a"], ""));
    let plan = world.plan(&desired(&three(["a", "a", "b"], ""))).unwrap();
    assert_eq!(waves(&plan), ["1 cluster3/control-plane"]);
}

#[test]
fn a_first_apply_knows_no_waves() {
    let desired = desired(&three(["a", "a", "a"], "rollout: [[cluster1], [cluster2], [cluster3]]"));
    let plan = World::new(&desired).plan(&desired).unwrap();
    assert_eq!(waves(&plan), Vec::<String>::new());
    assert_eq!(plan.waves, Vec::<BTreeSet<ClusterName>>::new());
}

#[test]
fn what_disrupts_nothing_waits_for_no_wave() {
    let world = applied(&three(["a", "a", "a"], ""));
    let text = three(["b", "b", "b"], "namespaces: { sample: {} }");
    let plan = world.plan(&desired(&text)).unwrap();
    let new = step(&plan, "cluster3/app-namespaces");
    assert_eq!((new.wave, new.after.len()), (None, 1), "{:?}", new.after);
}

#[test]
fn a_wave_that_did_not_become_healthy_is_waited_for_by_the_next_run_too() {
    let mut world = applied(&three(["a", "a", "a"], ""));
    // What an apply leaves that stopped at the first wave: its istiod is changed and does not come up.
    let mut first = world.copy();
    first.apply(&desired(&three(["b", "a", "a"], "")));
    world.live = first.live;
    world.edit("cluster1", "Deployment istio-system/istiod", "kube-controller-manager", |deployment| {
        deployment["status"]["availableReplicas"] = json!(0);
    });
    let plan = world.plan(&desired(&three(["b", "b", "b"], ""))).unwrap();
    assert_eq!(waves(&plan), ["1 cluster2/control-plane", "2 cluster3/control-plane"]);
    let second = step(&plan, "cluster2/control-plane");
    assert!(second.after.contains(&"cluster1/control-plane".parse().unwrap()), "{:?}", second.after);
}

#[test]
fn a_wave_that_the_file_names_and_that_is_out_of_sight_holds_back_those_behind_it() {
    // The keeper of the root is in sight: what is held back is so because of its wave alone.
    let kept = |text: String| text.replace("root: generate", "root: { generate: { in: cluster3 } }");
    let mut world = applied(&kept(three(["a", "a", "a"], "")));
    world.unreachable("cluster1");
    let held = |rollout: &str| -> Vec<String> {
        let plan = world.plan(&desired(&kept(three(["b", "b", "b"], rollout)))).unwrap();
        let held = plan.steps.iter().filter(|step| step.wave.is_some() && !step.held_by.is_empty());
        held.map(|step| step.id().to_string()).collect()
    };
    assert_eq!(
        held("rollout: [[cluster1], [cluster2]]"),
        ["cluster2/control-plane", "cluster3/control-plane"]
    );
    assert_eq!(held("rollout: [[cluster2], [cluster1]]"), ["cluster3/control-plane"]);
    // Without a wish for an order, one that cannot be read stops nobody.
    assert_eq!(held(""), Vec::<String>::new());
}

#[test]
fn a_remote_named_before_its_primary_does_not_overtake_it() {
    let text =
        |note: &str| {
            example(MULTI_NETWORK)
            .replace("charts: embedded }", &format!(
                "charts: embedded, values: {{ istiod: {{ pilot: {{ podAnnotations: {{ note: {note} }} }} }}, \
                 gateway: {{ podAnnotations: {{ note: {note} }} }} }} }}\nrollout: [[cluster2], [cluster1]]"
            ))
        };
    let world = applied(&text("a"));
    let plan = world.plan(&desired(&text("b"))).unwrap();
    assert_eq!(
        waves(&plan),
        ["1 cluster1/control-plane", "1 cluster1/eastwest-gateway", "1 cluster2/eastwest-gateway"]
    );
}

#[test]
fn what_cuts_traffic_goes_in_waves_like_what_restarts() {
    let text = example("multi-primary-multi-network.yaml");
    let world = applied(&text);
    let declared = text.replace(
        "role: primary }",
        "role: primary, eastWestGateway: { service: { type: NodePort }, addresses: [192.0.2.1] } }",
    );
    let plan = world.plan(&desired(&declared)).unwrap();
    assert_eq!(waves(&plan), ["1 cluster1/eastwest-gateway", "2 cluster2/eastwest-gateway"]);
    let cuts: Vec<&Change> =
        plan.steps.iter().flat_map(Step::writes).filter(|change| change.cuts_traffic()).collect();
    assert!(cuts.iter().all(|change| change.object.kind == "Service" && !change.restarts()), "{cuts:?}");
}

#[test]
fn refusing_plain_text_disrupts_a_mesh_that_runs_and_no_new_one() {
    let text = example("multi-primary-multi-network.yaml");
    let strict = desired(&text.replace("mesh: { id: mesh1 }", "mesh: { id: mesh1, mtls: strict }"));
    assert_eq!(waves(&World::new(&strict).plan(&strict).unwrap()), Vec::<String>::new());
    let plan = applied(&text).plan(&strict).unwrap();
    assert_eq!(waves(&plan), ["1 cluster1/control-plane", "2 cluster2/control-plane"]);
}

#[test]
fn another_name_of_a_port_moves_nobody() {
    let (desired, mut world) = multi_network();
    world.edit("cluster2", "Service istio-system/istiod", "kubectl-edit", |service| {
        service["spec"]["ports"][0]["name"] = json!("wrong");
    });
    assert_eq!(waves(&world.plan(&desired).unwrap()), Vec::<String>::new());
}

/// What a cluster is in a random mesh.
#[derive(Debug, Clone)]
struct Member {
    primary: bool,
    network: usize,
    serves: usize,
    balancer: bool,
    note: u8,
    renamed: bool,
}

fn member() -> impl Strategy<Value = Member> {
    (any::<bool>(), 0..3usize, 1..8usize, any::<bool>(), 0..2u8, prop::bool::weighted(0.2)).prop_map(
        |(primary, network, serves, balancer, note, renamed)| Member {
            primary,
            network,
            serves,
            balancer,
            note,
            renamed,
        },
    )
}

/// The topology of some members; the first is a primary whatever it says.
fn mesh(members: &[Member], rollout: &[Vec<usize>]) -> String {
    let primaries: Vec<usize> =
        (0..members.len()).filter(|position| *position == 0 || members[*position].primary).collect();
    let networks: BTreeSet<usize> = members.iter().map(|member| member.network).collect();
    let networks: Vec<String> = networks.iter().map(|network| format!("n{network}: {{}}")).collect();
    let mut text = format!(
        "version: 1\nmesh: {{ id: mesh1 }}\nistio: {{ version: 1.30.3, charts: embedded }}\n\
         trust: {{ root: generate }}\nnetworks: {{ {} }}\nclusters:\n",
        networks.join(", ")
    );
    for (position, member) in members.iter().enumerate() {
        let role = if primaries.contains(&position) {
            let expose = if member.balancer { "loadBalancer" } else { "eastWestGateway" };
            format!("primary, controlPlane: {{ expose: {expose} }}")
        } else {
            let chosen =
                primaries.iter().enumerate().filter(|(bit, _)| member.serves & (1 << (bit % 3)) != 0);
            let mut names: Vec<String> = chosen.map(|(_, primary)| format!("c{primary}")).collect();
            if names.is_empty() {
                names.push("c0".to_owned());
            }
            format!("remote, primaries: [{}]", names.join(", "))
        };
        let id = if member.renamed { format!(", id: other{position}") } else { String::new() };
        let note = format!("podAnnotations: {{ note: \"{}\" }}", member.note);
        text.push_str(&format!(
            "  c{position}: {{ network: n{}, role: {role}{id}, \
             values: {{ istiod: {{ pilot: {{ {note} }} }}, gateway: {{ {note} }} }} }}\n",
            member.network
        ));
    }
    if !rollout.is_empty() {
        let wave = |wave: &Vec<usize>| {
            format!("[{}]", wave.iter().map(|position| format!("c{position}")).collect::<Vec<_>>().join(", "))
        };
        text.push_str(&format!("rollout: [{}]\n", rollout.iter().map(wave).collect::<Vec<_>>().join(", ")));
    }
    text
}

/// Some of the clusters, in some order, in some waves.
fn rollouts(clusters: usize) -> impl Strategy<Value = Vec<Vec<usize>>> {
    let all: Vec<usize> = (0..clusters).collect();
    (prop::sample::subsequence(all, 0..=clusters).prop_shuffle(), 1..3usize)
        .prop_map(|(chosen, size)| chosen.chunks(size).map(<[usize]>::to_vec).collect())
}

fn change() -> impl Strategy<Value = (Vec<Member>, Vec<Member>, Vec<Vec<usize>>, Option<usize>)> {
    (2..5usize).prop_flat_map(|clusters| {
        (
            prop::collection::vec(member(), clusters),
            prop::collection::vec(member(), clusters),
            rollouts(clusters),
            prop::option::weighted(0.2, 0..clusters),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn waves_follow_one_another_and_close_no_circle((old, new, rollout, unread) in change()) {
        let mut world = applied(&mesh(&old, &[]));
        if let Some(position) = unread {
            world.unreachable(&format!("c{position}"));
        }
        let desired = desired(&mesh(&new, &rollout));
        // Some changes are refused; an order for them is nobody's question.
        let Ok(plan) = world.plan(&desired) else { return Ok(()) };
        let stages: std::collections::BTreeMap<StepId, usize> =
            plan.steps.iter().map(|step| (step.id(), step.stage)).collect();
        for step in &plan.steps {
            for first in step.after.iter().filter_map(|first| stages.get(first)) {
                prop_assert!(*first < step.stage, "{} waits for a later stage", step.id());
            }
            prop_assert_eq!(step.wave.is_some(), step.disrupts(), "{}", step.id());
            if let (None, Some(unit)) = (step.wave, &step.desired) {
                let edges: BTreeSet<StepId> = unit.after.iter().map(|edge| edge.unit.clone().into()).collect();
                prop_assert_eq!(step.after.iter().cloned().collect::<BTreeSet<_>>(), edges, "{}", step.id());
            }
            if let Some(wave) = step.wave {
                prop_assert!(plan.waves[wave - 1].contains(&step.unit.cluster));
            }
        }
        for later in plan.steps.iter().filter(|step| step.wave.is_some()) {
            let waits_for = before(&plan, &later.id());
            for earlier in plan.steps.iter().filter(|step| step.wave.is_some() && step.wave < later.wave) {
                prop_assert!(waits_for.contains(&earlier.id()), "{} beside {}", later.id(), earlier.id());
            }
            for side in plan.steps.iter().filter(|step| step.wave == later.wave && step.desired.is_some()) {
                // Two clusters of different waves meet in one only where the graph makes one wait.
                let own = |step: &Step| desired.rollout.waves.iter().position(|wave| wave.contains(&step.unit.cluster));
                if later.desired.is_some() && own(side) < own(later) {
                    let pulled = before(&plan, &side.id());
                    prop_assert!(pulled.iter().any(|first| stages.contains_key(first)), "{} too late", side.id());
                }
            }
        }
    }
}

/// Two primaries and a remote of one of them, on one network.
fn remote_of(primary: &str) -> String {
    let cluster = |number: usize, role: &str| {
        format!("  cluster{number}: {{ network: network1, role: {role}, pods: [10.{number}.0.0/16] }}\n")
    };
    format!(
        "version: 1\nmesh: {{ id: mesh1 }}\nistio: {{ version: 1.30.3, charts: embedded }}\n\
         trust: {{ root: generate }}\nnetworks: {{ network1: {{}} }}\nclusters:\n{}{}{}",
        cluster(1, "primary"),
        cluster(2, "primary"),
        cluster(3, &format!("remote, primaries: [{primary}]"))
    )
}

#[test]
fn a_remote_that_changes_its_primary_is_registered_anew_and_leaves_the_old_one_last() {
    let world = applied(&remote_of("cluster1"));
    let plan = world.plan(&desired(&remote_of("cluster2"))).unwrap();
    let anew: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.writes().any(Change::reregisters))
        .map(|step| step.id().to_string())
        .collect();
    assert_eq!(anew, ["cluster1/remote-secret-cluster3", "cluster2/remote-secret-cluster3"]);
    // istiod reads the annotation that lets it serve when it registers the cluster.
    let told = before(&plan, &"cluster2/remote-secret-cluster3".parse().unwrap());
    assert!(told.contains(&"cluster3/namespace".parse().unwrap()), "{told:?}");
    let moved = before(&plan, &"cluster3/control-plane".parse().unwrap());
    assert!(moved.contains(&"cluster2/expose-control-plane".parse().unwrap()), "{moved:?}");
    for gone in ["cluster1/expose-control-plane", "cluster1/eastwest-gateway"] {
        let waits_for = before(&plan, &gone.parse().unwrap());
        assert!(step(&plan, gone).desired.is_none(), "{gone}");
        assert!(waits_for.contains(&"cluster3/control-plane".parse().unwrap()), "{gone}");
    }
}

#[test]
fn a_cluster_that_moves_to_another_network_is_a_cut() {
    let text = example("multi-primary-multi-network.yaml")
        .replace("  network2: {}\n", "  network2: {}\n  network3: {}\n");
    let world = applied(&text.replace("  network3: {}\n", ""));
    let moved = text.replace("  network2: {}\n", "").replace("network: network2", "network: network3");
    let plan = world.plan(&desired(&moved)).unwrap();
    assert!(step(&plan, "cluster2/namespace").writes().any(Change::moves_network));
    assert!(waves(&plan).contains(&"1 cluster2/namespace".to_owned()), "{:?}", waves(&plan));
}

#[test]
fn a_declared_gateway_that_is_left_is_a_cut_and_one_that_comes_is_none() {
    let declared = |addresses: &str| {
        let gateway = format!("role: primary, eastWestGateway: {{ addresses: [{addresses}] }} }}");
        with_charts(&example("multi-primary-multi-network.yaml").replace("role: primary }", &gateway))
    };
    let first = declared("192.0.2.1");
    let mut world = World::new(&first);
    world.apply(&first);
    assert_eq!(waves(&world.plan(&declared("192.0.2.1, 192.0.2.9")).unwrap()), Vec::<String>::new());
    let plan = world.plan(&declared("192.0.2.9")).unwrap();
    assert_eq!(waves(&plan), ["1 cluster1/control-plane", "2 cluster2/control-plane"]);
    assert!(step(&plan, "cluster1/control-plane").writes().any(Change::moves_gateways));
}

#[test]
fn another_trust_domain_is_a_cut() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "ConfigMap istio-system/istio", "kubectl-edit", |map| {
        map["data"]["mesh"] = json!("trustDomain: other\n");
    });
    assert_eq!(waves(&world.plan(&desired).unwrap()), ["1 cluster1/control-plane"]);
    world.edit("cluster1", "ConfigMap istio-system/istio", "kubectl-edit", |map| {
        map["data"]["mesh"] = json!("trustDomain: cluster.local\naccessLogFile: /dev/stdout\n");
    });
    assert_eq!(waves(&world.plan(&desired).unwrap()), Vec::<String>::new());
}
