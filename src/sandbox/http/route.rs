//! What a path names.

use crate::object::kinds::Subresource;

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/version`.
    Version,
    /// `/healthz`, `/readyz`, `/livez` and what lies below them.
    Health,
    /// `/stolos-sandbox`: which sandbox this is.
    Identity,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/apps`.
    Group(String),
    /// `/apis/apps/v1`, `/api/v1`.
    Resources {
        /// Empty for the core group.
        group: String,
        /// `v1`.
        version: String,
    },
    /// `/openapi/v3`.
    OpenApi,
    /// `/openapi/v3/apis/apps/v1`.
    OpenApiOf {
        /// Empty for the core group.
        group: String,
        /// `v1`.
        version: String,
    },
    /// Objects of one resource.
    Collection(Place),
    /// One object.
    Object(Place, String),
    /// A part of one object.
    Part(Place, String, Part),
    /// A part that no object has.
    NoPart(Place),
    /// Nothing that this server has.
    Nowhere,
}

/// A resource, and perhaps a namespace of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Empty for the core group.
    pub(crate) group: String,
    /// `v1`.
    pub(crate) version: String,
    /// `deployments`.
    pub(crate) plural: String,
    /// Where the path names one.
    pub(crate) namespace: Option<String>,
}

/// A part of an object with a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Status or scale.
    Sub(Subresource),
    /// `/token` of a ServiceAccount.
    Token,
    /// `/portforward` of a Pod.
    PortForward,
}

impl Route {
    /// Reads a path.
    pub(crate) fn of(path: &str) -> Self {
        let segments: Option<Vec<String>> =
            path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect();
        let Some(segments) = segments else { return Self::Nowhere };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["version"] => Self::Version,
            ["healthz" | "readyz" | "livez", ..] => Self::Health,
            ["stolos-sandbox"] => Self::Identity,
            ["api"] => Self::CoreVersions,
            ["apis"] => Self::Groups,
            ["apis", group] => Self::Group((*group).to_owned()),
            ["api", version] => Self::resources("", version),
            ["apis", group, version] => Self::resources(group, version),
            ["openapi", "v3"] => Self::OpenApi,
            ["openapi", "v3", "api", version] => Self::open_api_of("", version),
            ["openapi", "v3", "apis", group, version] => Self::open_api_of(group, version),
            ["api", version, rest @ ..] => Self::objects("", version, rest),
            ["apis", group, version, rest @ ..] => Self::objects(group, version, rest),
            _ => Self::Nowhere,
        }
    }

    fn resources(group: &str, version: &str) -> Self {
        Self::Resources { group: group.to_owned(), version: version.to_owned() }
    }

    fn open_api_of(group: &str, version: &str) -> Self {
        Self::OpenApiOf { group: group.to_owned(), version: version.to_owned() }
    }

    fn objects(group: &str, version: &str, rest: &[&str]) -> Self {
        let place = |plural: &str, namespace: Option<&str>| Place {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespace: namespace.map(str::to_owned),
        };
        let part = |place: Place, name: &str, word: &str| match word {
            "status" => Self::Part(place, name.to_owned(), Part::Sub(Subresource::Status)),
            "scale" => Self::Part(place, name.to_owned(), Part::Sub(Subresource::Scale)),
            "token" if place.plural == "serviceaccounts" => Self::Part(place, name.to_owned(), Part::Token),
            "portforward" if place.plural == "pods" => Self::Part(place, name.to_owned(), Part::PortForward),
            _ => Self::NoPart(place),
        };
        match rest {
            [plural] => Self::Collection(place(plural, None)),
            ["namespaces", name] => Self::Object(place("namespaces", None), (*name).to_owned()),
            ["namespaces", name, word @ ("status" | "scale")] => part(place("namespaces", None), name, word),
            ["namespaces", namespace, plural] => Self::Collection(place(plural, Some(namespace))),
            ["namespaces", namespace, plural, name] => {
                Self::Object(place(plural, Some(namespace)), (*name).to_owned())
            }
            ["namespaces", namespace, plural, name, word] => part(place(plural, Some(namespace)), name, word),
            [plural, name] => Self::Object(place(plural, None), (*name).to_owned()),
            [plural, name, word] => part(place(plural, None), name, word),
            _ => Self::Nowhere,
        }
    }
}

/// The text behind `%2F` and the like; none where it is no UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        if *byte == b'%' {
            let code = text.get(position + 1..position + 3)?;
            decoded.push(u8::from_str_radix(code, 16).ok()?);
            position += 3;
        } else {
            decoded.push(*byte);
            position += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(group: &str, plural: &str, namespace: Option<&str>) -> Place {
        Place {
            group: group.into(),
            version: "v1".into(),
            plural: plural.into(),
            namespace: namespace.map(str::to_owned),
        }
    }

    #[test]
    fn paths_name_what_kubernetes_says() {
        let object = |place, name: &str| Route::Object(place, name.to_owned());
        for (path, route) in [
            ("/api/v1/namespaces", Route::Collection(place("", "namespaces", None))),
            ("/api/v1/namespaces/n", object(place("", "namespaces", None), "n")),
            ("/api/v1/namespaces/n/pods", Route::Collection(place("", "pods", Some("n")))),
            ("/api/v1/namespaces/n/pods/p", object(place("", "pods", Some("n")), "p")),
            ("/apis/apps/v1/deployments", Route::Collection(place("apps", "deployments", None))),
            (
                "/apis/apps/v1/namespaces/n/deployments/d/scale",
                Route::Part(
                    place("apps", "deployments", Some("n")),
                    "d".into(),
                    Part::Sub(Subresource::Scale),
                ),
            ),
            ("/apis/g/v1/things/a%3Ab", object(place("g", "things", None), "a:b")),
            ("/openapi/v2", Route::Nowhere),
            ("/apis/g/v1/things/%", Route::Nowhere),
            ("/", Route::Nowhere),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
