//! The etcd that holds a release's metadata: where it is, and which pod a snapshot can be taken in.

use crate::milvus::identity::{Field, FieldValue};
use crate::rules::case::Effective;
use crate::state::Source;

/// Where the metadata lives.
#[derive(Clone, Debug, Default)]
pub struct Etcd {
    /// The endpoints as configured; none where they cannot be seen.
    pub endpoints: Vec<String>,
    /// `etcd.rootPath`.
    pub root: String,
    /// `etcd.metaSubPath`.
    pub meta: String,
    /// `etcd.kvSubPath`.
    pub kv: String,
    /// A pod of an etcd that this source holds.
    pub pod: Option<String>,
}

/// The etcd of a release.
pub fn of(source: &Source, effective: &Effective, namespace: &str) -> Etcd {
    let meta: &[Field] = effective
        .spoken()
        .stores
        .as_ref()
        .map(|s| &s.meta[..])
        .unwrap_or_default();
    let text = |name: &str, default: &str| {
        let said = meta.iter().find(|f| f.name == name).map(|f| f.value.shown());
        said.unwrap_or_else(|| default.to_owned())
    };
    let endpoints = addresses(meta, "etcd.endpoints");
    let host = endpoints
        .first()
        .map(|e| e.trim_start_matches("http://").trim_start_matches("https://"))
        .and_then(|e| e.split(['.', ':']).next());
    let own = source
        .stream
        .objects
        .iter()
        .find(|o| o.reference.kind == "StatefulSet" && Some(o.reference.name.as_str()) == host);
    let pod = endpoints.first().and_then(|e| member(e, namespace));
    Etcd {
        root: text("etcd.rootPath", "by-dev"),
        meta: text("etcd.metaSubPath", "meta"),
        kv: text("etcd.kvSubPath", "kv"),
        pod: own.map(|o| format!("{}-0", o.reference.name)).or(pod),
        endpoints,
    }
}

/// The addresses in an identifying field, as written.
pub fn addresses(identity: &[Field], name: &str) -> Vec<String> {
    match identity.iter().find(|f| f.name == name).map(|f| &f.value) {
        Some(FieldValue::Addresses { written, .. }) => written.clone(),
        Some(FieldValue::Text(text)) => vec![text.clone()],
        _ => vec![],
    }
}

/// The pod behind an endpoint that names one by its headless Service: `rel-etcd-0.rel-etcd-headless.ns.svc:2379`.
fn member(endpoint: &str, namespace: &str) -> Option<String> {
    let host = endpoint.split("://").last()?.split(':').next()?;
    let labels: Vec<&str> = host.split('.').collect();
    let [pod, service, rest @ ..] = &labels[..] else {
        return None;
    };
    let (set, number) = pod.rsplit_once('-')?;
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let here = rest.first().is_none_or(|n| *n == namespace) && rest.get(1).is_none_or(|s| *s == "svc");
    (numbered && here && service.starts_with(set)).then(|| (*pod).to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_member_of_etcd_is_named_by_its_headless_service() {
        for (endpoint, pod) in [
            (
                "rel-etcd-0.rel-etcd-headless.ns.svc.cluster.local:2379",
                Some("rel-etcd-0"),
            ),
            ("http://rel-etcd-2.rel-etcd-headless:2379", Some("rel-etcd-2")),
            ("rel-etcd-0.rel-etcd-headless.other.svc:2379", None),
            ("rel-etcd:2379", None),
            ("etcd-1.example.com:2379", None),
            ("10.0.0.1:2379", None),
        ] {
            assert_eq!(super::member(endpoint, "ns").as_deref(), pod, "{endpoint}");
        }
    }
}
