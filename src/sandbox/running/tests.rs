use super::*;
use crate::sandbox::clock::SystemClock;

/// A folder of its own for each test, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stolos-running-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn clusters(names: &[&str]) -> Vec<SandboxCluster> {
    names.iter().map(|name| SandboxCluster { name: (*name).to_owned(), id: (*name).to_owned() }).collect()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

async fn refused(folder: &Path, names: &[&str]) -> String {
    match access(folder, &clusters(names), &clock()).await {
        Ok(access) => panic!("{access:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_second_command_on_one_folder_is_refused_with_a_clear_line() {
    let scratch = Scratch::new("second");
    let first = access(&scratch.0, &clusters(&["c1"]), &clock()).await.expect("it is free");
    let line = format!("the sandbox in {} is in use by another command", scratch.0.display());
    assert_eq!(refused(&scratch.0, &["c1"]).await, line);
    drop(first);
    assert!(access(&scratch.0, &clusters(&["c1"]), &clock()).await.is_ok());
}

#[tokio::test]
async fn a_served_folder_is_used_through_its_server() {
    let scratch = Scratch::new("served");
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let folder = scratch.0.clone();
    let server = tokio::spawn(async move {
        let announce = |running: &RunningSandbox| drop(ready.send(running.endpoints()));
        let shutdown = async { drop(stopped.await) };
        serve(&folder, &clusters(&["c1", "c2"]), &clock(), announce, shutdown).await
    });
    let endpoints = is_ready.await.expect("it is ready");
    let attached = access(&scratch.0, &clusters(&["c2"]), &clock()).await.expect("it is served");
    assert!(matches!(attached, Access::Attached(_)));
    assert_eq!(attached.endpoints(), [endpoints[1].clone()]);
    let line = format!("the sandbox in {} is being served without the cluster c3", scratch.0.display());
    assert_eq!(refused(&scratch.0, &["c1", "c3"]).await, line);
    stop.send(()).expect("it listens");
    server.await.expect("no panic").expect("no fault");
    assert!(!scratch.0.join("kubeconfig").exists());
    let owned = access(&scratch.0, &clusters(&["c1"]), &clock()).await.expect("it is free again");
    assert!(matches!(owned, Access::Owned(_)));
}

#[tokio::test]
async fn the_kubeconfig_of_a_killed_server_misleads_nobody() {
    let scratch = Scratch::new("killed");
    // A kubeconfig of another sandbox's cluster of the same name stands for one whose port was taken over.
    let other = Scratch::new("killed-other");
    let foreign = access(&other.0, &clusters(&["c1"]), &clock()).await.expect("it is free");
    let held = access(&scratch.0, &clusters(&["c1"]), &clock()).await.expect("it is free");
    fs::write(scratch.0.join("kubeconfig"), kubeconfig(&foreign.endpoints())).expect("writable");
    let line = format!("the sandbox in {} is in use by another command", scratch.0.display());
    assert_eq!(refused(&scratch.0, &["c1"]).await, line);
    drop(held);
    // The lock is free: the file counts for nothing.
    let owned = access(&scratch.0, &clusters(&["c1"]), &clock()).await.expect("it is free");
    assert!(matches!(owned, Access::Owned(_)));
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let scratch = Scratch::new("restart");
    let uid = |sandbox: &Sandbox| {
        let namespace = sandbox.clusters()[0].find("", "Namespace", None, "kube-system");
        namespace.and_then(|namespace| namespace.uid().map(str::to_owned))
    };
    let first = Sandbox::open(&scratch.0, &clusters(&["c1"]), &clock()).expect("opens");
    let before = uid(&first);
    drop(first);
    let second = Sandbox::open(&scratch.0, &clusters(&["c1", "c2"]), &clock()).expect("opens");
    assert_eq!((uid(&second), before.is_some()), (before, true));
    assert_eq!(second.cluster("c2").map(|cluster| cluster.id()), Some("c2"));
    let uids: Vec<_> = second
        .clusters()
        .iter()
        .map(|c| c.find("", "Namespace", None, "kube-system").and_then(|n| n.uid().map(str::to_owned)))
        .collect();
    assert_ne!(uids[0], uids[1]);
}
