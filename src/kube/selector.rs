//! Label selectors: which pods (or Services) an object points at, and how to point it elsewhere.

use super::object::{at, escape};
use crate::value::Value;

/// Where a selector stands in an object and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorAt {
    /// JSON pointer to the selector.
    pub pointer: String,
    /// Whether it is a plain map of labels (Service) or a LabelSelector.
    pub plain: bool,
}

/// Whether a LabelSelector or plain label map selects `labels`. An empty or absent selector selects all pods for a
/// LabelSelector and none for a Service; the caller passes only selectors that are there.
pub fn selects(selector: &Value, plain: bool, labels: &Value) -> bool {
    selects_by(selector, plain, |key| labels.entry(key).and_then(Value::as_str))
}

/// The same where the label of a key is found so.
pub(super) fn selects_by<'v>(selector: &'v Value, plain: bool, has: impl Fn(&str) -> Option<&'v str>) -> bool {
    let all = |map: &Value| match map.as_object() {
        Some(m) => m.iter().all(|(k, v)| v.as_str().is_some_and(|v| has(k) == Some(v))),
        None => true,
    };
    if plain {
        return selector.as_object().is_some_and(|m| !m.is_empty()) && all(selector);
    }
    let expressions = selector.entry("matchExpressions").and_then(Value::as_array);
    selector.entry("matchLabels").is_none_or(all) && expressions.into_iter().flatten().all(|e| expression(e, &has))
}

fn expression<'v>(e: &Value, has: impl Fn(&str) -> Option<&'v str>) -> bool {
    let key = e.entry("key").and_then(Value::as_str).unwrap_or("");
    let value = has(key);
    let listed = || {
        let values = e.entry("values").and_then(Value::as_array);
        values
            .into_iter()
            .flatten()
            .any(|v| v.as_str() == value && value.is_some())
    };
    match e.entry("operator").and_then(Value::as_str) {
        Some("In") => listed(),
        Some("NotIn") => !listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}

/// The selectors by which an object chooses pods. ServiceMonitors choose Services instead and are left out.
pub fn pod_selectors(kind: &str, value: &Value) -> Vec<SelectorAt> {
    let one = |pointer: &str, plain: bool| {
        let present = value.pointer(pointer).is_some_and(|v| v.is_object());
        if present {
            vec![SelectorAt {
                pointer: pointer.into(),
                plain,
            }]
        } else {
            vec![]
        }
    };
    match kind {
        "Service" => one("/spec/selector", true),
        "PodDisruptionBudget" | "PodMonitor" => one("/spec/selector", false),
        "NetworkPolicy" => {
            let mut found = one("/spec/podSelector", false);
            for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
                let rules = at(value, &["spec", direction]).and_then(Value::as_array);
                for (i, rule) in rules.into_iter().flatten().enumerate() {
                    let list = rule.entry(peers).and_then(Value::as_array);
                    for (j, peer) in list.into_iter().flatten().enumerate() {
                        if peer.entry("podSelector").is_some_and(Value::is_object) {
                            let pointer = format!("/spec/{direction}/{i}/{peers}/{j}/podSelector");
                            found.push(SelectorAt { pointer, plain: false });
                        }
                    }
                }
            }
            found
        }
        _ => vec![],
    }
}

/// The workload (kind, name) an autoscaler or similar names as its target; of an Argo Rollout the one whose pods it takes
/// over (`workloadRef`).
pub fn scale_target<'v>(kind: &str, value: &'v Value) -> Option<(&'v str, &'v str)> {
    let path: &[&str] = match kind {
        "HorizontalPodAutoscaler" | "ScaledObject" => &["spec", "scaleTargetRef"],
        "VerticalPodAutoscaler" => &["spec", "targetRef"],
        "Rollout" => &["spec", "workloadRef"],
        _ => return None,
    };
    let target = at(value, path)?;
    // KEDA: kind is optional and means Deployment. Source: keda.sh/docs ScaledObject specification.
    let kind = target.entry("kind").and_then(Value::as_str).unwrap_or("Deployment");
    Some((kind, target.entry("name").and_then(Value::as_str)?))
}

/// Every place inside a selector where a label value is demanded: pointer (relative to the object), key, value.
pub fn demanded<'v>(value: &'v Value, selector: &SelectorAt) -> Vec<(String, &'v str, &'v str)> {
    let Some(s) = value.pointer(&selector.pointer) else {
        return vec![];
    };
    let mut out = Vec::new();
    let mut labels = |map: Option<&'v Value>, base: String| {
        for (k, v) in map.and_then(Value::as_object).into_iter().flatten() {
            if let Some(v) = v.as_str() {
                out.push((format!("{base}/{}", escape(k)), k.as_str(), v));
            }
        }
    };
    if selector.plain {
        labels(Some(s), selector.pointer.clone());
        return out;
    }
    labels(s.entry("matchLabels"), format!("{}/matchLabels", selector.pointer));
    for (i, e) in s
        .entry("matchExpressions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        if e.entry("operator").and_then(Value::as_str) != Some("In") {
            continue;
        }
        let key = e.entry("key").and_then(Value::as_str).unwrap_or("");
        for (j, v) in e
            .entry("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            if let Some(v) = v.as_str() {
                out.push((format!("{}/matchExpressions/{i}/values/{j}", selector.pointer), key, v));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn label_selectors_select_as_kubernetes_does() {
        let pod = json!({"app": "milvus", "component": "indexnode"});
        for (selector, plain, want) in [
            (json!({"component": "indexnode"}), true, true),
            (json!({"component": "datanode"}), true, false),
            (json!({}), true, false),
            (json!({}), false, true),
            (json!({"matchLabels": {"app": "milvus"}}), false, true),
            (
                json!({"matchExpressions": [{"key": "component", "operator": "In", "values": ["indexnode", "x"]}]}),
                false,
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "component", "operator": "NotIn", "values": ["indexnode"]}]}),
                false,
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}),
                false,
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
                false,
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
                false,
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "Unheard"}]}),
                false,
                false,
            ),
        ] {
            assert_eq!(selects(&selector, plain, &pod), want, "{selector}");
        }
    }

    #[test]
    fn network_policies_select_in_several_places() {
        let policy = json!({"spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {}}, {"podSelector": {"matchLabels": {"a": "b"}}}]}],
            "egress": [{"to": [{"podSelector": {}}]}]}});
        let pointers: Vec<_> = pod_selectors("NetworkPolicy", &policy)
            .into_iter()
            .map(|s| s.pointer)
            .collect();
        assert_eq!(
            pointers,
            [
                "/spec/podSelector",
                "/spec/ingress/0/from/1/podSelector",
                "/spec/egress/0/to/0/podSelector"
            ]
        );
        let second = SelectorAt {
            pointer: pointers[1].clone(),
            plain: false,
        };
        assert_eq!(
            demanded(&policy, &second),
            [("/spec/ingress/0/from/1/podSelector/matchLabels/a".into(), "a", "b")]
        );
    }

    #[test]
    fn keda_means_a_deployment_unless_it_says_otherwise() {
        let target = json!({"spec": {"scaleTargetRef": {"name": "x"}}});
        assert_eq!(scale_target("ScaledObject", &target), Some(("Deployment", "x")));
        assert_eq!(scale_target("Service", &target), None);
    }
}
