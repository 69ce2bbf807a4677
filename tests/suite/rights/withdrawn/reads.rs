//! The rights to read: without any of them a plan does not know the cluster, and says why.

use stolos::rbac::Task;

use super::{Case, World, said_by_plan, untold};
use crate::support::matrix::sample;

/// Makes what others lie in or are of, as somebody else: nothing of ours is there, so that all is read by name.
async fn bare(world: &World) {
    for (cluster, object) in world.meshes.objects() {
        if matches!(object.kind(), "Namespace" | "CustomResourceDefinition") {
            let mut value = object.into_value();
            value["metadata"].as_object_mut().expect("metadata").remove("labels");
            world.meshes.apply_by(cluster.as_str(), value, "kubectl").await;
        }
    }
}

async fn each_is_needed(world: &mut World, size: usize, wanted: impl Fn(&Case) -> bool) {
    let cases: Vec<Case> = world.cases().into_iter().filter(wanted).collect();
    let what = format!("rights to read of {:?}", world.task);
    for case in sample(&what, cases, size) {
        world.as_admin();
        world.without(&case).await;
        let plan = world.meshes.plan(world.mode()).await;
        assert_eq!(untold(&case, &said_by_plan(&plan)), None, "{case}");
        let unknown: Vec<_> = plan.unknown.keys().collect();
        assert_eq!(unknown, [&case.cluster], "{}", case);
    }
    world.as_admin();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn a_plan_without_one_of_its_rights_says_which() {
    let mut world = World::open("rights-withdrawn-plan", Task::Plan).await;
    bare(&world).await;
    let read = world.cases();
    each_is_needed(&mut world, 12, |_| true).await;
    // An apply and a destroy begin with the same reads.
    for task in [Task::Apply, Task::Destroy] {
        world = world.turned_to(task);
        each_is_needed(&mut world, 4, |case| is_read(&read, case)).await;
    }
}

/// Whether a plan takes the right as well.
pub(super) fn is_read(plan: &[Case], case: &Case) -> bool {
    plan.iter().any(|read| read.cluster == case.cluster && read.right == case.right)
}
