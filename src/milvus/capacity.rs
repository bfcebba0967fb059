//! How much a workload has: its resources, and how many pods of it there can be.

use super::release::Component;
use crate::facts;
use crate::kube::Object;
use crate::kube::object::namespaces_agree;
use crate::kube::quantity::Quantity;
use crate::kube::selector;
use crate::value::Value;

/// How many pods a workload has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// At least.
    pub least: i64,
    /// At most.
    pub most: i64,
    /// The autoscaler that decides between the two.
    pub scaler: Option<String>,
    /// One for each machine (DaemonSet): the numbers say nothing.
    pub per_machine: bool,
}

impl Replicas {
    /// The replicas of a component among the objects of its stream: an autoscaler's range where one scales it, else
    /// `spec.replicas`, else one.
    #[must_use]
    pub fn of(objects: &[Object], component: &Component) -> Replicas {
        let object = &objects[component.object];
        if let Some(scaler) = scaler(objects, object) {
            let number = |keda: &str, hpa: &str| {
                let key = if scaler.reference.kind == "ScaledObject" {
                    keda
                } else {
                    hpa
                };
                scaler.at(&["spec", key]).and_then(Value::as_i64)
            };
            // Defaults: autoscaling/v2 minReplicas 1; KEDA minReplicaCount 0, maxReplicaCount 100.
            let keda = scaler.reference.kind == "ScaledObject";
            let least = number("minReplicaCount", "minReplicas").unwrap_or(if keda { 0 } else { 1 });
            let most = number("maxReplicaCount", "maxReplicas").unwrap_or(if keda { 100 } else { least });
            return Replicas {
                least,
                most: most.max(least),
                scaler: Some(format!("{} {}", scaler.reference.kind, scaler.reference.name)),
                per_machine: false,
            };
        }
        let count = component.replicas.unwrap_or(1).max(0);
        Replicas {
            least: count,
            most: count,
            scaler: None,
            per_machine: object.reference.kind == "DaemonSet",
        }
    }
}

impl std::fmt::Display for Replicas {
    /// `4`, `1 to 8`, `one a machine`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Replicas { per_machine: true, .. } => f.write_str("one a machine"),
            Replicas { least, most, .. } if least == most => write!(f, "{least}"),
            Replicas { least, most, .. } => write!(f, "{least} to {most}"),
        }
    }
}

/// The autoscaler that scales a workload's replicas (a VerticalPodAutoscaler does not).
#[must_use]
pub fn scaler<'o>(objects: &'o [Object], workload: &Object) -> Option<&'o Object> {
    objects.iter().find(|o| {
        matches!(o.reference.kind.as_str(), "HorizontalPodAutoscaler" | "ScaledObject")
            && namespaces_agree(&o.reference.namespace, &workload.reference.namespace)
            && selector::scale_target(&o.reference.kind, &o.value)
                == Some((workload.reference.kind.as_str(), workload.reference.name.as_str()))
    })
}

/// What one pod may use: the limit, else the request, else nothing that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// In cores.
    pub cpu: Option<Quantity>,
    /// In bytes.
    pub memory: Option<Quantity>,
}

impl Size {
    /// The size of a container.
    #[must_use]
    pub fn of(container: &Value) -> Size {
        Size {
            cpu: resource(container, "cpu"),
            memory: resource(container, "memory"),
        }
    }

    /// How many units of index building it has.
    #[must_use]
    pub fn units(self) -> f64 {
        facts::sizing().units(self.cpu, self.memory)
    }
}

impl std::fmt::Display for Size {
    /// `2 CPU, 8Gi`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.cpu, self.memory) {
            (Some(cpu), Some(memory)) => write!(f, "{cpu} CPU, {memory}"),
            (Some(cpu), None) => write!(f, "{cpu} CPU, no memory set"),
            (None, Some(memory)) => write!(f, "no CPU set, {memory}"),
            (None, None) => f.write_str("no resources set"),
        }
    }
}

/// A resource of a container: its limit, else its request; `None` where neither is a quantity above zero.
#[must_use]
pub fn resource(container: &Value, name: &str) -> Option<Quantity> {
    limit(container, name).or_else(|| quantity(container, "requests", name))
}

/// The limit of a resource.
#[must_use]
pub fn limit(container: &Value, name: &str) -> Option<Quantity> {
    quantity(container, "limits", name)
}

fn quantity(container: &Value, section: &str, name: &str) -> Option<Quantity> {
    let value = container.pointer("/resources")?.get(section)?.get(name)?;
    Quantity::from_value(value).ok().filter(|q| *q > Quantity::ZERO)
}

/// Where the local files of Milvus go unless `localStorage.path` says otherwise (upstream `configs/milvus.yaml`).
pub const LOCAL_PATH: &str = "/var/lib/milvus/data";

/// What stands at a path of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disk {
    /// The container's own writable layer.
    Layer,
    /// An emptyDir on the machine's disk, with its size limit where it has one.
    EmptyDir(Option<Quantity>),
    /// An emptyDir in memory.
    Memory,
    /// Anything else: a claim, a path of the machine, an ephemeral volume.
    Volume,
}

/// What stands at `path` of a workload's container: the deepest writable mount at it or above it.
#[must_use]
pub fn disk(template: &Value, container: &Value, path: &str) -> Disk {
    let path = path.trim_end_matches('/');
    let mounts = container.pointer("/volumeMounts").and_then(Value::as_array);
    let covering = mounts
        .into_iter()
        .flatten()
        .filter(|m| m["readOnly"] != true)
        .filter_map(|m| {
            let at = m["mountPath"].as_str()?.trim_end_matches('/');
            let covers = path == at || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
            covers.then_some((at.len(), m["name"].as_str()?))
        })
        .max();
    let Some((_, name)) = covering else { return Disk::Layer };
    let volumes = template.pointer("/spec/volumes").and_then(Value::as_array);
    let volume = volumes.into_iter().flatten().find(|v| v["name"] == name);
    // A StatefulSet's claim template has the name and stands in no list of volumes.
    let Some(empty) = volume.and_then(|v| v.get("emptyDir")) else {
        return Disk::Volume;
    };
    if empty["medium"] == "Memory" {
        return Disk::Memory;
    }
    Disk::EmptyDir(empty.get("sizeLimit").and_then(|l| Quantity::from_value(l).ok()))
}

/// A number without needless decimals: `16`, `1.5`.
#[must_use]
pub fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milvus::release::inventory;
    use crate::value::json;

    fn objects(extra: Value, replicas: Option<i64>) -> Vec<Object> {
        let mut workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x-datanode", "namespace": "n"},
            "spec": {"template": {"spec": {"containers": [{"image": "milvusdb/milvus:v2.5.16", "args": ["milvus", "run", "datanode"]}]}}}});
        if let Some(n) = replicas {
            workload["spec"]["replicas"] = json!(n);
        }
        [workload, extra]
            .into_iter()
            .flat_map(|v| Object::all_in(0, v).unwrap())
            .collect()
    }

    fn replicas(extra: Value, count: Option<i64>) -> Replicas {
        let objects = objects(extra, count);
        Replicas::of(&objects, &inventory(&objects).releases[0].components[0])
    }

    fn scaler(kind: &str, spec: Value) -> Value {
        let mut value = json!({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "s"}, "spec": spec});
        value["spec"]["scaleTargetRef"] = json!({"kind": "Deployment", "name": "x-datanode"});
        value
    }

    #[test]
    fn an_autoscaler_decides_before_the_manifest() {
        let none = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        assert_eq!(replicas(none.clone(), None).to_string(), "1");
        assert_eq!(replicas(none, Some(0)).most, 0);
        let hpa = scaler("HorizontalPodAutoscaler", json!({"maxReplicas": 8}));
        assert_eq!(replicas(hpa.clone(), None).to_string(), "1 to 8");
        assert_eq!(replicas(hpa, Some(3)).most, 8);
        assert_eq!(
            replicas(
                scaler("ScaledObject", json!({"minReplicaCount": 2, "maxReplicaCount": 5})),
                None
            )
            .to_string(),
            "2 to 5"
        );
        assert_eq!(
            replicas(scaler("ScaledObject", json!({})), None).to_string(),
            "0 to 100"
        );
    }

    #[test]
    fn limits_count_before_requests_and_zero_is_none() {
        let c =
            json!({"resources": {"limits": {"memory": "8Gi", "cpu": 0}, "requests": {"cpu": "500m", "memory": "1Gi"}}});
        assert_eq!(Size::of(&c).to_string(), "500m CPU, 8Gi");
        assert_eq!(
            Size::of(&json!({"resources": {"limits": {"cpu": "much"}}})).to_string(),
            "no resources set"
        );
        assert_eq!(Size::of(&json!({"resources": null})), Size::default());
    }

    #[test]
    fn the_deepest_writable_mount_counts() {
        let template = json!({"spec": {"volumes": [
            {"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {"medium": "Memory"}},
            {"name": "c", "emptyDir": {"sizeLimit": "10Gi"}}, {"name": "d", "persistentVolumeClaim": {"claimName": "x"}}]}});
        let at = |mounts: Value| disk(&template, &json!({"volumeMounts": mounts}), "/var/lib/milvus/data/");
        assert_eq!(at(json!([])), Disk::Layer);
        assert_eq!(
            at(json!([{"name": "a", "mountPath": "/var/lib/milvus/dat"}])),
            Disk::Layer
        );
        assert_eq!(
            at(json!([{"name": "a", "mountPath": "/var/lib/milvus/data/"}])),
            Disk::EmptyDir(None)
        );
        let both =
            json!([{"name": "d", "mountPath": "/var/lib/milvus"}, {"name": "b", "mountPath": "/var/lib/milvus/data"}]);
        assert_eq!(at(both), Disk::Memory);
        let limit = Disk::EmptyDir(Some(Quantity::parse("10Gi").unwrap()));
        assert_eq!(at(json!([{"name": "c", "mountPath": "/var/lib/milvus"}])), limit);
        assert_eq!(
            at(json!([{"name": "d", "mountPath": "/var/lib/milvus", "readOnly": true}])),
            Disk::Layer
        );
        assert_eq!(
            at(json!([{"name": "claim-template", "mountPath": "/var/lib/milvus"}])),
            Disk::Volume
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([number(16.0), number(1.5), number(0.25)], ["16", "1.5", "0.2"]);
    }
}
