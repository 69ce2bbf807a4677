//! An authorizing proxy before a sandbox cluster, which knows no users: it lets through what granted rights
//! cover, as a Kubernetes API server with RBAC does, and answers 403 to everything else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use stolos::object::{ObjectRef, kinds};
use stolos::rbac::{Right, Rights, Rule};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const RBAC: &str = "rbac.authorization.k8s.io";

/// The proxy.
pub(crate) struct Authorizer {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// In the whole cluster.
    cluster: Rights,
    /// In one namespace.
    namespace: (String, Rights),
    /// What was asked and allowed, and in which namespace.
    allowed: Vec<(Right, Option<String>)>,
    /// What was asked and refused.
    refused: Vec<Right>,
}

impl Authorizer {
    /// Stands before a server at a plain URL; nothing is granted yet.
    pub(crate) async fn before(upstream: &str) -> Self {
        let upstream = upstream.strip_prefix("http://").expect("a plain URL").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, upstream.clone(), Arc::clone(&shared)));
            }
        });
        Self { url, state, task }
    }

    /// Grants these rights and no others; where they are others than before, what was asked is forgotten.
    pub(crate) fn grant(&self, cluster: &Rights, namespace: &str, in_namespace: &Rights) {
        let namespace = (namespace.to_owned(), in_namespace.clone());
        let mut state = self.state();
        if state.cluster != *cluster || state.namespace != namespace {
            *state = State { cluster: cluster.clone(), namespace, ..State::default() };
        }
    }

    /// Whether an object, or its whole kind, was watched.
    pub(crate) fn watched(&self, object: &ObjectRef) -> bool {
        let info = kinds::find(&object.group, &object.kind).expect("a kind of the table");
        let watch = |name| Right::new(info.group, info.plural, name, "watch");
        let (all, one) = (watch(None), watch(Some(&object.name)));
        self.state().allowed.iter().any(|(asked, _)| *asked == all || *asked == one)
    }

    /// What was refused.
    pub(crate) fn refused(&self) -> Vec<Right> {
        self.state().refused.clone()
    }

    /// The granted rights without which everything that was asked would have been allowed too.
    pub(crate) fn superfluous(&self) -> Vec<Right> {
        let state = self.state();
        let mut needed: BTreeMap<Right, bool> = BTreeMap::new();
        for right in state.cluster.iter().chain(state.namespace.1.iter()) {
            needed.insert(right.clone(), false);
        }
        for (asked, namespace) in &state.allowed {
            let there = namespace.as_ref() == Some(&state.namespace.0);
            let of_namespace = state.namespace.1.iter().filter(|_| there);
            let covering: Vec<&Right> =
                state.cluster.iter().chain(of_namespace).filter(|right| right.covers(asked)).collect();
            if let [only] = covering.as_slice() {
                needed.insert((*only).clone(), true);
            }
        }
        needed.into_iter().filter(|(_, needed)| !needed).map(|(right, _)| right).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

impl Drop for Authorizer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request, or an answer.
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// Whether it asks for a WebSocket.
    fn is_upgrade(&self) -> bool {
        self.head.to_ascii_lowercase().contains("\r\nupgrade: websocket\r\n")
    }
}

/// What is asked of an API server.
struct Asked {
    verb: &'static str,
    group: String,
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl Asked {
    /// None for paths that are no object's.
    fn of(head: &str) -> Option<Self> {
        let line = head.lines().next()?;
        let (method, target) = line.split_once(' ')?;
        let target = target.split(' ').next()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let resource = *rest.first()?;
        let mut name = rest.get(1).map(|name| (*name).to_owned());
        let of_query = |key: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(&format!("{key}=")[..])).map(decoded)
        };
        let verb = match (method, &name) {
            ("GET", Some(_)) => "get",
            ("GET", None) => {
                let selector = of_query("fieldSelector").unwrap_or_default();
                name = selector.strip_prefix("metadata.name=").map(str::to_owned);
                if of_query("watch").as_deref() == Some("true") { "watch" } else { "list" }
            }
            ("PATCH", _) => "patch",
            ("PUT", _) => "update",
            ("POST", _) => "create",
            ("DELETE", Some(_)) => "delete",
            ("DELETE", None) => "deletecollection",
            (other, _) => panic!("{other} is not expected"),
        };
        let resource = match rest.get(2) {
            Some(part) => format!("{resource}/{part}"),
            None => resource.to_owned(),
        };
        let namespace = namespace.map(str::to_owned);
        // A namespace lies in itself.
        let namespace = if resource == "namespaces" { name.clone() } else { namespace };
        Some(Self { verb, group: group.to_owned(), resource, namespace, name })
    }

    fn right(&self, verb: &str) -> Right {
        Right::new(&self.group, &self.resource, self.name.as_deref(), verb)
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        let hex = more.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).expect("a query in UTF-8")
}

async fn serve(mut client: TcpStream, upstream: String, state: Arc<Mutex<State>>) {
    let Some(request) = read(&mut client).await else { return };
    if let Some(asked) = Asked::of(&request.head)
        && let Err(missing) = authorize(&asked, &request, &upstream, &state).await
    {
        let _ = client.write_all(forbidden(&asked, &missing).as_bytes()).await;
        return;
    }
    let Ok(mut server) = TcpStream::connect(&upstream).await else { return };
    let head = match request.is_upgrade() {
        true => request.head.clone(),
        false => request.head.replacen("\r\n", "\r\nconnection: close\r\n", 1),
    };
    let sent = [head.as_bytes(), &request.body].concat();
    if server.write_all(&sent).await.is_err() {
        return;
    }
    if request.is_upgrade() && !is_upgraded(&mut client, &mut server).await {
        return;
    }
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

/// Passes on what the server says to the wish for a WebSocket. Where it refuses, that is all that is passed on: the
/// connection would be taken for the next request, unseen.
async fn is_upgraded(client: &mut TcpStream, server: &mut TcpStream) -> bool {
    let Some(answer) = read(server).await else { return false };
    let is_upgraded = answer.head.starts_with("HTTP/1.1 101 ");
    let head = match is_upgraded {
        true => answer.head,
        false => answer.head.replacen("\r\n", "\r\nconnection: close\r\n", 1),
    };
    client.write_all(&[head.as_bytes(), &answer.body].concat()).await.is_ok() && is_upgraded
}

/// Whether all that a request takes is granted; else what is missing.
async fn authorize(
    asked: &Asked,
    request: &Request,
    upstream: &str,
    state: &Mutex<State>,
) -> Result<(), Right> {
    check(asked, asked.right(asked.verb), state)?;
    if request.is_upgrade() {
        // kube-apiserver 1.35, feature AuthorizePodWebsocketUpgradeCreatePermission.
        return check(asked, asked.right("create"), state);
    }
    let is_apply = asked.verb == "patch" && request.head.contains("apply-patch+yaml");
    if !is_apply {
        return Ok(());
    }
    let path = request.head.split(' ').nth(1).and_then(|target| target.split('?').next()).expect("a target");
    if fetch(upstream, path).await.is_none() {
        check(asked, asked.right("create"), state)?;
    }
    if asked.group != RBAC {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    match asked.resource.as_str() {
        "clusterroles" | "roles" => passes_on(asked, &body, asked.right("escalate"), state),
        "clusterrolebindings" | "rolebindings" if body.get("roleRef").is_some() => {
            let (kind, name) = (&body["roleRef"]["kind"], body["roleRef"]["name"].as_str().expect("a name"));
            let base = path.rsplit_once('/').expect("a path").0.rsplit_once('/').expect("a path").0;
            let plural = if kind == "Role" { "roles" } else { "clusterroles" };
            let base = if kind == "Role" { base.to_owned() } else { format!("/apis/{RBAC}/v1") };
            let role = fetch(upstream, &format!("{base}/{plural}/{name}")).await.unwrap_or_default();
            passes_on(asked, &role, Right::new(RBAC, plural, Some(name), "bind"), state)
        }
        _ => Ok(()),
    }
}

/// A role may be written or bound by those who have the verb for it, or every right in it.
fn passes_on(asked: &Asked, role: &Value, verb: Right, state: &Mutex<State>) -> Result<(), Right> {
    let rules = role["rules"].as_array().into_iter().flatten();
    let held: Vec<Right> = rules.flat_map(|rule| Rule::read(rule).rights()).collect();
    let may_verb = state.lock().expect("no panic while held").cluster.iter().any(|right| right.covers(&verb));
    if may_verb {
        return check(asked, verb, state);
    }
    held.into_iter().try_for_each(|right| check(asked, right, state))
}

fn check(asked: &Asked, right: Right, state: &Mutex<State>) -> Result<(), Right> {
    let mut state = state.lock().expect("no panic while held");
    let there = asked.namespace.as_ref() == Some(&state.namespace.0);
    let of_namespace = state.namespace.1.iter().filter(|_| there);
    if state.cluster.iter().chain(of_namespace).any(|granted| granted.covers(&right)) {
        state.allowed.push((right, asked.namespace.clone()));
        return Ok(());
    }
    state.refused.push(right.clone());
    Err(right)
}

/// An object of the server behind; none where it is not there.
async fn fetch(upstream: &str, path: &str) -> Option<Value> {
    let mut server = TcpStream::connect(upstream).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {upstream}\r\nconnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8(answer).ok()?;
    let body = text.starts_with("HTTP/1.1 200").then(|| text.split_once("\r\n\r\n"))??.1;
    Some(serde_json::from_str(body).expect("a body of known length"))
}

fn forbidden(asked: &Asked, missing: &Right) -> String {
    let Right::Objects { group, resource, verb, .. } = missing else { panic!("{missing:?}") };
    let name = asked.name.clone().unwrap_or_default();
    let message = format!(
        "{resource}.{group} \"{name}\" is forbidden: User \"test\" cannot {verb} resource \"{resource}\" in API \
         group \"{group}\""
    );
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden",
        "message": message, "code": 403, "details": {"name": name, "group": group, "kind": resource}});
    let body = body.to_string();
    format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one request whole, or one answer.
async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end);
    while body.len() < length.unwrap_or(0) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => body.extend_from_slice(&chunk[..read]),
        }
    }
    Some(Request { head, body })
}
