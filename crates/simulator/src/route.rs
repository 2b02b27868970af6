//! Which of Google's methods a path asks for.

/// The API that a request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// `aiplatform.googleapis.com`.
    Vertex,
    /// `generativelanguage.googleapis.com`.
    Developer,
}

/// A method on a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `:generateContent`.
    Generate,
    /// `:streamGenerateContent`; `sse` when `alt=sse`, else one JSON array.
    Stream {
        /// Server-sent events.
        sse: bool,
    },
    /// `:countTokens`.
    Count,
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    /// The API.
    pub backend: Backend,
    /// `v1`, `v1beta1` or `v1beta`.
    pub version: &'a str,
    /// `projects/P/locations/L/publishers/google/models/M`, or `models/M`.
    pub resource: &'a str,
    /// `M`.
    pub model: &'a str,
    /// `L`; empty for the Developer API.
    pub location: &'a str,
}

/// The route and method of a POST to `target` (path and query); `None` where Google has no such method.
pub fn method(target: &str) -> Option<(Route<'_>, Method)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (resource, verb) = path.rsplit_once(':')?;
    let method = match verb {
        "generateContent" => Method::Generate,
        "streamGenerateContent" => Method::Stream { sse: query.split('&').any(|pair| pair == "alt=sse") },
        "countTokens" => Method::Count,
        _ => return None,
    };
    model(resource).map(|route| (route, method))
}

/// The route of a model's own address.
pub fn model(path: &str) -> Option<Route<'_>> {
    let (version, resource) = path.strip_prefix('/')?.split_once('/')?;
    let parts: Vec<&str> = resource.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match (version, parts.as_slice()) {
        (
            "v1" | "v1beta1",
            ["projects", _, "locations", location, "publishers", "google", "models", model],
        ) => Some(Route { backend: Backend::Vertex, version, resource, model, location }),
        ("v1" | "v1beta1", ["publishers", "google", "models", model]) => {
            Some(Route { backend: Backend::Vertex, version, resource, model, location: "global" })
        }
        ("v1" | "v1beta" | "v1alpha", ["models", model]) => {
            Some(Route { backend: Backend::Developer, version, resource, model, location: "" })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Backend, Method, method};

    #[test]
    fn any_project_location_and_model_is_understood() {
        let (route, verb) = method(
            "/v1beta1/projects/p-1/locations/europe-west4/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        )
        .unwrap();

        assert_eq!(
            (route.backend, route.model, route.location),
            (Backend::Vertex, "gemini-2.5-pro", "europe-west4")
        );
        assert_eq!(verb, Method::Stream { sse: true });
    }

    #[test]
    fn other_paths_are_not_ours() {
        for target in [
            "/",
            "/v1/models",
            "/v2/models/m:generateContent",
            "/v1beta/models/m:embedContent",
            "/v1//models/m:generateContent",
        ] {
            assert_eq!(method(target), None, "{target}");
        }
    }
}
