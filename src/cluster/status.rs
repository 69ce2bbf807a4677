//! What a status code and its body mean.

use serde_json::Value;

use super::transport::Answer;
use super::{Fault, FieldCause};

/// How much of a server's own words is passed on.
const LONGEST: usize = 600;
/// A refusal without a word, as proxies before an API server have it.
const WORDLESS: &str = "access is forbidden";

/// What a request is about, as far as its answer's words depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// The server's words may be passed on.
    Open,
    /// The request carries a Secret: the server may quote it, so its words stay here.
    Secret,
}

/// The body of a success, or what went wrong. `kind` is what was asked for.
pub(super) fn read(answer: &Answer, kind: &str, privacy: Privacy) -> Result<Value, Fault> {
    let body = serde_json::from_slice::<Value>(&answer.body);
    if (200..300).contains(&answer.status) {
        return body.map_err(|_| Fault::Unintelligible("a body that is not JSON".to_owned()));
    }
    let status = body.ok().filter(|body| body["kind"] == "Status");
    Err(fault(answer.status, status.as_ref(), kind, privacy))
}

/// What a `Status` means; none where the body is none.
pub(super) fn fault(code: u16, status: Option<&Value>, kind: &str, privacy: Privacy) -> Fault {
    let message = match (privacy, status) {
        (Privacy::Secret, Some(status)) => match status["reason"].as_str() {
            Some(reason) if reason.bytes().all(|byte| byte.is_ascii_alphabetic()) => reason.to_owned(),
            _ => "refused".to_owned(),
        },
        (Privacy::Open, Some(status)) => clean(status["message"].as_str().unwrap_or("no reason given")),
        (_, None) => "no reason given".to_owned(),
    };
    match code {
        401 => Fault::Unauthorized(None),
        403 => Fault::Forbidden(if status.is_some() { message } else { WORDLESS.to_owned() }),
        // A kind that is not served answers with plain text, or with a Status that names no object.
        404 if !names_an_object(status) => Fault::KindUnknown(kind.to_owned()),
        404 => Fault::NotFound(message),
        409 => {
            let conflicts = field_causes(status);
            if !conflicts.is_empty() {
                Fault::FieldConflict(conflicts)
            } else if status.is_some_and(|status| status["reason"] == "AlreadyExists") {
                Fault::Server { status: code, message }
            } else {
                Fault::Changed
            }
        }
        410 => Fault::Expired,
        413 => Fault::TooLarge,
        400 | 422 => Fault::Invalid { message, causes: causes(status, privacy) },
        _ => Fault::Server { status: code, message },
    }
}

/// Whether a refusal does not say why. RBAC has no words where a handler asks for a second right, as that of
/// `pods/portforward` does (`ensureAuthorizedForVerb`, pkg/registry/core/pod/rest/subresources.go, 1.35).
pub(super) fn leaves_right_open(refusal: &str) -> bool {
    refusal == WORDLESS || refusal.trim_end().ends_with("is forbidden:")
}

fn names_an_object(status: Option<&Value>) -> bool {
    status.and_then(|status| status["details"]["name"].as_str()).is_some_and(|name| !name.is_empty())
}

fn details(status: Option<&Value>) -> impl Iterator<Item = &Value> {
    status.and_then(|status| status["details"]["causes"].as_array()).into_iter().flatten()
}

/// The fields of a conflict. The manager stands in the message alone: `conflict with "NAME" using v1 at …`.
fn field_causes(status: Option<&Value>) -> Vec<FieldCause> {
    details(status)
        .filter(|cause| cause["reason"] == "FieldManagerConflict")
        .map(|cause| FieldCause {
            field: clean(cause["field"].as_str().unwrap_or("a field")),
            manager: cause["message"]
                .as_str()
                .and_then(|message| message.split('"').nth(1))
                .map_or_else(|| "another manager".to_owned(), clean),
        })
        .collect()
}

fn causes(status: Option<&Value>, privacy: Privacy) -> Vec<String> {
    details(status)
        .map(|cause| {
            let field = clean(cause["field"].as_str().unwrap_or("the object"));
            match (privacy, cause["message"].as_str()) {
                (Privacy::Open, Some(message)) => format!("{field}: {}", clean(message)),
                (Privacy::Open, None) | (Privacy::Secret, _) => field,
            }
        })
        .collect()
}

/// A server's words without what a terminal would act on, and not without end.
pub(super) fn clean(text: &str) -> String {
    let mut out: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST + 1).collect();
    if out.chars().count() > LONGEST {
        out = out.chars().take(LONGEST).collect();
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(code: u16, body: &Value) -> Fault {
        let answer =
            Answer { status: code, retry_after: None, date: None, body: body.to_string().into_bytes() };
        read(&answer, "Deployment.apps", Privacy::Open).expect_err("no success")
    }

    #[test]
    fn a_conflict_names_each_field_and_its_manager() {
        let body = json!({
            "kind": "Status", "reason": "Conflict", "message": "Apply failed with 1 conflict",
            "details": {"name": "istiod", "causes": [{
                "reason": "FieldManagerConflict", "field": ".spec.replicas",
                "message": "conflict with \"kubectl-edit\" using apps/v1",
            }]},
        });
        let expected = FieldCause { field: ".spec.replicas".to_owned(), manager: "kubectl-edit".to_owned() };
        assert_eq!(answered(409, &body), Fault::FieldConflict(vec![expected]));
    }

    #[test]
    fn a_missing_object_is_no_missing_kind() {
        let object = json!({
            "kind": "Status", "message": "deployments.apps \"istiod\" not found", "details": {"name": "istiod"},
        });
        assert_eq!(
            answered(404, &object),
            Fault::NotFound("deployments.apps \"istiod\" not found".to_owned())
        );
        let kind = json!({
            "kind": "Status", "message": "the server could not find the requested resource", "details": {},
        });
        assert_eq!(answered(404, &kind), Fault::KindUnknown("Deployment.apps".to_owned()));
        let text =
            Answer { status: 404, retry_after: None, date: None, body: b"404 page not found".to_vec() };
        assert_eq!(
            read(&text, "Gateway.networking.istio.io", Privacy::Open),
            Err(Fault::KindUnknown("Gateway.networking.istio.io".to_owned()))
        );
    }

    #[test]
    fn what_a_server_says_of_a_secret_is_not_repeated() {
        let body = json!({
            "kind": "Status", "reason": "Invalid", "message": "Invalid value: \"hunter2\"",
            "details": {"name": "cacerts", "causes": [{"field": "data", "message": "hunter2 is bad"}]},
        });
        let answer =
            Answer { status: 422, retry_after: None, date: None, body: body.to_string().into_bytes() };
        assert_eq!(
            read(&answer, "Secret", Privacy::Secret),
            Err(Fault::Invalid { message: "Invalid".to_owned(), causes: vec!["data".to_owned()] })
        );
    }

    #[test]
    fn only_a_refusal_without_reason_leaves_open_which_right_is_missing() {
        assert!(leaves_right_open("access is forbidden"));
        assert!(leaves_right_open("pods \"istiod-1\" is forbidden: "));
        assert!(!leaves_right_open("pods is forbidden: User \"u\" cannot list resource \"pods\""));
        assert!(!leaves_right_open("admission webhook \"w.example.com\" denied the request: no"));
    }

    #[test]
    fn a_server_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\nc"), "a [2Jb c");
    }
}
