//! The workloads of a release by name and by labels: to go through all of them for each object takes time squared.

use std::cell::OnceCell;

use foldhash::HashMap;

use crate::kube::labelled::Labelled;
use crate::kube::object::namespaces_agree;
use crate::kube::{Object, ObjectRef, selector, workload};
use crate::milvus::release::Release;
use crate::milvus::role::Role;
use crate::value::Value;

/// The workloads of a release that run Milvus.
#[derive(Default)]
pub struct Running<'a> {
    /// By kind and name, in the order of the release.
    of: HashMap<(&'a str, &'a str), Vec<(&'a ObjectRef, Role)>>,
    /// Those whose pods have the same labels, in the order of the first of each.
    alike: Vec<Alike<'a>>,
    /// The objects that they stand among, and their namespace.
    among: (&'a [Object], String),
    /// The Services of their pods by the labels of these, once somebody asks.
    services: OnceCell<Labelled<'a, Served>>,
}

/// Workloads whose pods have the same labels.
struct Alike<'a> {
    labels: &'a Value,
    /// Each once, in the order of the release.
    roles: Vec<Role>,
    workloads: usize,
}

/// What an object serves.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The roles, each once.
    pub roles: Vec<Role>,
    /// How many workloads.
    pub workloads: usize,
}

impl<'a> Running<'a> {
    /// Those of a release among some objects.
    pub fn of(objects: &'a [Object], release: &Release) -> Running<'a> {
        let mut running = Running {
            among: (objects, release.namespace.clone()),
            ..Running::default()
        };
        let mut known: HashMap<String, usize> = HashMap::default();
        for component in &release.components {
            let object = &objects[component.object];
            let named = (&object.reference.kind[..], &object.reference.name[..]);
            let same = running.of.entry(named).or_default();
            same.push((&object.reference, component.role));
            let Some(labels) = workload::pod_labels(object) else {
                continue;
            };
            let which = *known.entry(labels.to_string()).or_insert(running.alike.len());
            if which == running.alike.len() {
                running.alike.push(Alike {
                    labels,
                    roles: vec![],
                    workloads: 0,
                });
            }
            let alike = &mut running.alike[which];
            alike.workloads += 1;
            with(&mut alike.roles, component.role);
        }
        running
    }

    fn called<'n>(&'n self, kind: &'n str, name: &'n str) -> impl Iterator<Item = &'n (&'n ObjectRef, Role)> {
        self.of.get(&(kind, name)).into_iter().flatten()
    }

    /// The role of an object that is one of them.
    pub fn role(&self, object: &Object) -> Option<Role> {
        let reference = &object.reference;
        let mut called = self.called(&reference.kind, &reference.name);
        called
            .find(|(own, _)| own.same_object(reference))
            .map(|(_, role)| *role)
    }

    /// The role of the one that is named like this, or the first that an object serves.
    pub fn speaks_for(&self, object: &Object) -> Option<Role> {
        let reference = &object.reference;
        let mut called = self.called(&reference.kind, &reference.name);
        let own = called.find(|(own, _)| *own == reference).map(|(_, role)| *role);
        own.or_else(|| self.served_by(object).roles.first().copied())
    }

    /// The roles whose pods an object serves; none where it serves pods that are not Milvus.
    pub fn served_by(&self, object: &Object) -> Served {
        let kind = object.reference.kind.as_str();
        if let Some((kind, name)) = selector::scale_target(kind, &object.value) {
            let target = self.called(kind, name).next();
            let roles: Vec<Role> = target.map(|(_, role)| *role).into_iter().collect();
            return Served {
                workloads: roles.len(),
                roles,
            };
        }
        let mut served = Served::default();
        if kind == "ServiceMonitor" {
            let chosen = object.at(&["spec", "selector"]).into_iter();
            for service in chosen.flat_map(|s| self.services().chosen(s, false)) {
                served.add(&service.roles, service.workloads);
            }
            return served;
        }
        if !matches!(kind, "Service" | "PodDisruptionBudget" | "PodMonitor") {
            return served;
        }
        let Some(at) = selector::pod_selectors(kind, &object.value).into_iter().next() else {
            return served;
        };
        let s = object.value.pointer(&at.pointer).unwrap_or(&Value::Null);
        for alike in &self.alike {
            if selector::selects(s, at.plain, alike.labels) {
                served.add(&alike.roles, alike.workloads);
            }
        }
        served
    }

    /// The Services by which monitors find the pods.
    fn services(&self) -> &Labelled<'a, Served> {
        let (objects, namespace) = &self.among;
        self.services.get_or_init(|| {
            let here =
                |o: &&Object| o.reference.kind == "Service" && namespaces_agree(&o.reference.namespace, namespace);
            Labelled::of(objects.iter().filter(here).filter_map(|o| {
                let served = self.served_by(o);
                (!served.roles.is_empty()).then_some((o.at(&["metadata", "labels"])?, served))
            }))
        })
    }
}

impl Served {
    fn add(&mut self, roles: &[Role], workloads: usize) {
        self.workloads += workloads;
        roles.iter().for_each(|role| with(&mut self.roles, *role));
    }
}

fn with(roles: &mut Vec<Role>, role: Role) {
    if !roles.contains(&role) {
        roles.push(role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milvus::release::inventory;
    use crate::value::json;

    fn object(kind: &str, name: &str, spec: &Value) -> Object {
        let value = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
        Object::all_in(0, value).unwrap().remove(0)
    }

    fn deployment(name: &str, role: &str, labels: Value) -> Object {
        let spec = json!({"selector": {"matchLabels": {"app.kubernetes.io/instance": "r"}}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "milvusdb/milvus:v2.5.22", "args": ["milvus", "run", role]}]}}});
        object("Deployment", name, &spec)
    }

    #[test]
    fn an_object_serves_those_that_it_selects_or_scales() {
        let objects = [
            deployment("q1", "querynode", json!({"component": "q", "i": "r"})),
            deployment("p", "proxy", json!({"component": "p", "i": "r"})),
            deployment("q2", "querynode", json!({"i": "r", "component": "q"})),
            deployment("d", "datanode", json!({"component": "q", "i": "r"})),
            deployment("p", "querynode", json!(null)),
        ];
        let releases = inventory(&objects).releases;
        assert_eq!((releases.len(), releases[0].components.len()), (1, 5));
        let running = Running::of(&objects, &releases[0]);
        let (q, d, p) = (Role::QueryNode, Role::DataNode, Role::Proxy);
        let roles: Vec<_> = objects.iter().map(|o| running.role(o)).collect();
        assert_eq!(roles, [Some(q), Some(p), Some(q), Some(d), Some(p)]);
        let served = |kind: &str, spec: Value| {
            let served = running.served_by(&object(kind, "x", &spec));
            (served.roles, served.workloads)
        };
        let service = |selector| served("Service", json!({"selector": selector}));
        assert_eq!(service(json!({"component": "q"})), (vec![q, d], 3));
        assert_eq!(service(json!({"i": "r"})), (vec![q, d, p], 4));
        assert_eq!(service(json!({"component": "x"})), (vec![], 0));
        let scaler = |name: &str| {
            let target = json!({"kind": "Deployment", "name": name});
            served("HorizontalPodAutoscaler", json!({"scaleTargetRef": target}))
        };
        assert_eq!([scaler("p"), scaler("x")], [(vec![p], 1), (vec![], 0)]);
        let speaks = |kind: &str, name: &str, selector: &str| {
            let spec = json!({"selector": {"component": selector}});
            running.speaks_for(&object(kind, name, &spec))
        };
        assert_eq!(
            [speaks("Deployment", "d", "p"), speaks("Service", "d", "p")],
            [Some(d), Some(p)]
        );
        assert_eq!(
            [speaks("Service", "x", "q"), speaks("Service", "d", "x")],
            [Some(q), None]
        );
        assert_eq!(served("ConfigMap", json!({})), (vec![], 0));
        assert_eq!(served("ServiceMonitor", json!({"selector": {}})), (vec![], 0));
        assert_eq!(running.role(&object("Service", "p", &json!({}))), None);
    }

    #[test]
    fn a_monitor_serves_those_whose_services_it_chooses() {
        let service = |name: &str, namespace: &str, selector: &str| {
            let metadata = json!({"name": name, "namespace": namespace, "labels": {"of": name, "scrape": "yes"}});
            let value = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"component": selector}}});
            Object::all_in(0, value).unwrap().remove(0)
        };
        let mut objects = vec![
            deployment("q", "querynode", json!({"component": "q"})),
            deployment("p", "proxy", json!({"component": "p"})),
            service("p", "", "p"),
            service("q", "", "q"),
            service("etcd", "", "etcd"),
        ];
        objects[0].reference.namespace = "ns".into();
        let releases = inventory(&objects).releases;
        let namespace = &releases[0].namespace;
        assert_eq!(namespace, "ns");
        objects.push(service("far", "elsewhere", "q"));
        let running = Running::of(&objects, &releases[0]);
        let served = |selector: Value| {
            let served = running.served_by(&object("ServiceMonitor", "m", &json!({ "selector": selector })));
            (served.roles, served.workloads)
        };
        let (q, p) = (Role::QueryNode, Role::Proxy);
        assert_eq!(served(json!({"matchLabels": {"of": "q"}})), (vec![q], 1));
        assert_eq!(served(json!({"matchLabels": {"scrape": "yes"}})), (vec![p, q], 2));
        assert_eq!(served(json!({"matchLabels": {"of": "etcd"}})), (vec![], 0));
        assert_eq!(served(json!({"matchLabels": {"of": "far"}})), (vec![], 0));
    }
}
