//! The admission of a Pod: which injecting webhooks see it, and what they make of it.
//!
//! Only Istio's injecting webhooks are called; what other webhooks would say is not simulated.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::istiod::Istiod;
use super::reading::{items, labels, list, matches, text};
use super::route::Call;
use super::world::World;
use crate::object::Object;

/// What the names of Istio's injecting webhooks end in.
pub(super) const INJECTOR: &str = "sidecar-injector.istio.io";

/// The annotation that an injected Pod carries.
pub(super) const INJECTED: &str = "sidecar.istio.io/status";

/// Lets the webhooks see a Pod that is about to be created; says why it may not be.
pub(super) fn admit(world: &World, member: usize, pod: &mut Object) -> Result<(), String> {
    let store = &world.members[member].cluster;
    let namespace = store.find("", "Namespace", None, pod.namespace().unwrap_or_default());
    let namespace_labels = namespace.as_deref().and_then(labels);
    for configuration in store.list("admissionregistration.k8s.io", "MutatingWebhookConfiguration", None) {
        for webhook in items(&configuration, &["webhooks"]) {
            let name = text(webhook, "name").unwrap_or_default();
            let sees = name.ends_with(INJECTOR)
                && list(webhook.get("rules")).iter().any(sees_new_pods)
                && matches(webhook.get("namespaceSelector"), namespace_labels)
                && matches(webhook.get("objectSelector"), labels(pod));
            if !sees {
                continue;
            }
            match called(world, member, webhook) {
                Ok(asked) => inject(pod, &asked),
                Err(_) if text(webhook, "failurePolicy") == Some("Ignore") => {}
                Err(reason) => {
                    let place = url(webhook);
                    return Err(format!(
                        "Internal error occurred: failed calling webhook \"{name}\": failed to call webhook: Post \"{place}?timeout=10s\": {reason}"
                    ));
                }
            }
        }
    }
    Ok(())
}

fn sees_new_pods(rule: &Value) -> bool {
    let names = |key: &str, wanted: &str| {
        list(rule.get(key)).iter().filter_map(Value::as_str).any(|one| one == "*" || one == wanted)
    };
    names("operations", "CREATE") && names("apiGroups", "") && names("resources", "pods")
}

/// What an injecting webhook was asked.
pub(super) struct Asked {
    path: String,
    istiod: Arc<Istiod>,
}

impl Asked {
    /// A question to an istiod; none for a path that does not inject.
    pub(super) fn at(path: &str, istiod: Arc<Istiod>) -> Option<Self> {
        (path.split('/').nth(1) == Some("inject")).then(|| Self { path: path.to_owned(), istiod })
    }
}

fn called(world: &World, member: usize, webhook: &Value) -> Result<Asked, String> {
    let config = webhook.get("clientConfig").unwrap_or(&Value::Null);
    let istiod = match (config.get("service"), text(config, "url")) {
        (Some(service), _) => {
            let call = Call {
                from: member,
                namespace: text(service, "namespace").unwrap_or_default(),
                service: text(service, "name").unwrap_or_default(),
                port: service.get("port").and_then(Value::as_i64).unwrap_or(443),
            };
            world.istiod_behind(call)?
        }
        (None, Some(url)) => {
            let (host, port) = host_and_port(url);
            world.istiod_at(member, "", host, port)?
        }
        (None, None) => return Err("the webhook names no service and no url".to_owned()),
    };
    if text(config, "caBundle") != Some(istiod.authority().as_str()) {
        return Err(
            "tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned()
        );
    }
    let path = match config.get("service") {
        Some(service) => text(service, "path").unwrap_or("/").to_owned(),
        None => text(config, "url")
            .and_then(|url| url.splitn(4, '/').nth(3))
            .map_or("/".to_owned(), |rest| format!("/{rest}")),
    };
    Asked::at(&path, istiod).ok_or_else(|| "the server could not find the requested resource".to_owned())
}

fn host_and_port(url: &str) -> (&str, i64) {
    let authority = url.strip_prefix("https://").unwrap_or(url).split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host.trim_matches(['[', ']']), port.parse().unwrap_or(443))
        }
        _ => (authority.trim_matches(['[', ']']), 443),
    }
}

/// Where the API server posts, for the message of a failure.
fn url(webhook: &Value) -> String {
    let config = webhook.get("clientConfig").unwrap_or(&Value::Null);
    let Some(service) = config.get("service") else {
        return text(config, "url").unwrap_or_default().to_owned();
    };
    let part = |key: &str| text(service, key).unwrap_or_default();
    let port = service.get("port").and_then(Value::as_i64).unwrap_or(443);
    format!("https://{}.{}.svc:{port}{}", part("name"), part("namespace"), part("path"))
}

/// Puts the proxy in: image, and which cluster and network it believes to be in.
pub(super) fn inject(pod: &mut Object, asked: &Asked) {
    let parts: Vec<&str> = asked.path.trim_matches('/').split('/').skip(1).collect();
    let pairs: Map<String, Value> = parts
        .chunks_exact(2)
        .map(|pair| (pair[0].to_owned(), Value::from(pair[1].replace("--slash--", "/"))))
        .collect();
    let cluster = pairs.get("cluster").and_then(Value::as_str).unwrap_or(&asked.istiod.id).to_owned();
    let mut environment = vec![
        json!({"name": "CA_ADDR", "value": asked.istiod.discovery_address()}),
        json!({"name": "ISTIO_META_CLUSTER_ID", "value": cluster}),
    ];
    if let Some(network) = pod.label("topology.istio.io/network").or(pairs.get("net").and_then(Value::as_str))
    {
        environment.push(json!({"name": "ISTIO_META_NETWORK", "value": network}));
    }
    pod.set_annotation(INJECTED, &json!({"revision": asked.istiod.revision}).to_string());
    let Some(Value::Object(spec)) = pod.as_map_mut().get_mut("spec") else { return };
    let Some(Value::Array(containers)) = spec.get_mut("containers") else { return };
    let own = containers.iter_mut().find(|container| text(container, "name") == Some("istio-proxy"));
    match own {
        // A gateway brings the container and leaves its image to injection.
        Some(Value::Object(proxy)) => {
            if proxy.get("image").and_then(Value::as_str) == Some("auto") {
                proxy.insert("image".to_owned(), PROXY_IMAGE.into());
            }
            let variables = proxy.entry("env").or_insert_with(|| json!([]));
            if let Value::Array(variables) = variables {
                variables.retain(|one| !environment.iter().any(|new| text(new, "name") == text(one, "name")));
                variables.extend(environment);
            }
        }
        _ => containers.push(json!({"name": "istio-proxy", "image": PROXY_IMAGE, "env": environment})),
    }
}

/// The image of the simulated proxy.
const PROXY_IMAGE: &str = "istio/proxyv2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_its_host_and_its_port() {
        assert_eq!(host_and_port("https://203.0.113.1:15017/inject"), ("203.0.113.1", 15017));
        assert_eq!(host_and_port("https://istiod.example.com/inject"), ("istiod.example.com", 443));
        assert_eq!(host_and_port("https://[2001:db8::1]:15017/inject"), ("2001:db8::1", 15017));
        assert_eq!(host_and_port("https://[2001:db8::1]/inject"), ("2001:db8::1", 443));
    }
}
