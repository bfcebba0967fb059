//! Milvus releases beside the one that is looked at.

use foldhash::HashMap;

use crate::kube::object::namespaces_agree;
use crate::kube::{Object, ObjectRef, selector, workload};
use crate::milvus::release::{Release, inventory};

/// The other Milvus releases, after the whole rewrite and as they are deployed.
pub struct Others<'a> {
    after: Beside<'a>,
    before: Beside<'a>,
}

impl<'a> Others<'a> {
    /// Those beside a release, among what is there after the whole rewrite and what is deployed.
    pub fn of(last: &'a [Object], after: &Release, current: &'a [Object], before: &Release) -> Others<'a> {
        Others {
            after: Beside::of(last, after),
            before: Beside::of(current, before),
        }
    }

    /// Whether an object that would be applied is one of theirs, by what is there after the whole rewrite.
    pub fn own_after(&self, object: &Object) -> bool {
        self.after.own(object)
    }

    /// Whether a deployed object is one of theirs.
    pub fn own_before(&self, object: &Object) -> bool {
        self.before.own(object)
    }

    /// Whether an object is one of theirs on either side.
    pub fn own(&self, object: &Object) -> bool {
        self.own_after(object) || self.own_before(object)
    }
}

/// What releases beside one have: to ask each of them for each object takes time to the third power.
#[derive(Default)]
struct Beside<'a> {
    /// By instance and application: the namespaces.
    labelled: HashMap<(String, String), Vec<String>>,
    /// By kind and name, with the namespace of the release.
    components: HashMap<(&'a str, &'a str), Vec<(&'a ObjectRef, String)>>,
    /// What their pods mount, by kind and name: the namespaces.
    mounted: HashMap<(&'a str, &'a str), Vec<String>>,
}

impl<'a> Beside<'a> {
    fn of(objects: &'a [Object], one: &Release) -> Beside<'a> {
        let mut beside = Beside::default();
        for release in inventory(objects).releases.iter().filter(|r| !r.is(one)) {
            let namespace = || release.namespace.clone();
            let named = (release.name.clone(), release.app.clone());
            beside.labelled.entry(named).or_default().push(namespace());
            for component in &release.components {
                let object = &objects[component.object];
                let reference = &object.reference;
                let same = beside.components.entry((&reference.kind, &reference.name)).or_default();
                same.push((reference, namespace()));
                for mounted in workload::template(object).into_iter().flat_map(workload::mounts) {
                    beside.mounted.entry(mounted).or_default().push(namespace());
                }
            }
        }
        beside
    }

    fn own(&self, object: &Object) -> bool {
        let reference = &object.reference;
        let agrees = |namespace: &String| namespaces_agree(&reference.namespace, namespace);
        let here = |namespaces: Option<&Vec<String>>| namespaces.is_some_and(|all| all.iter().any(agrees));
        let label = |key| object.label(key).map(str::to_owned);
        let labels = label("app.kubernetes.io/instance").zip(label("app.kubernetes.io/name"));
        let labelled = || here(labels.and_then(|labels| self.labelled.get(&labels)));
        let is_component = || {
            let named = self.components.get(&(&reference.kind[..], &reference.name[..]));
            let mut same = named.into_iter().flatten();
            same.any(|(other, namespace)| other.same_object(reference) && agrees(namespace))
        };
        let scales = || {
            let target = selector::scale_target(&reference.kind, &object.value);
            let named = target.and_then(|target| self.components.get(&target));
            named.is_some_and(|all| all.iter().any(|(_, namespace)| agrees(namespace)))
        };
        let mounted = || here(self.mounted.get(&(&reference.kind[..], &reference.name[..])));
        labelled() || is_component() || scales() || mounted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Value, json};

    fn object(value: Value) -> Object {
        Object::all_in(0, value).unwrap().remove(0)
    }

    fn proxy(instance: &str, named: &str, namespace: &str) -> Object {
        let labels = json!({"app.kubernetes.io/instance": instance, "app.kubernetes.io/name": "milvus"});
        let container = json!({"name": "c", "image": "milvusdb/milvus:v2.5.22", "args": ["milvus", "run", "proxy"]});
        let pod = json!({"containers": [container], "volumes": [{"name": "v", "configMap": {"name": format!("{named}-conf")}}]});
        object(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": named, "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}}),
        )
    }

    fn named(kind: &str, name: &str, namespace: &str) -> Object {
        object(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}))
    }

    fn labelled(instance: &str, app: &str, namespace: &str) -> Object {
        let labels = json!({"app.kubernetes.io/instance": instance, "app.kubernetes.io/name": app});
        object(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": namespace, "labels": labels}}),
        )
    }

    fn scaler(of: &str, namespace: &str) -> Object {
        let target = json!({"kind": "Deployment", "name": of});
        object(
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "h", "namespace": namespace}, "spec": {"scaleTargetRef": target}}),
        )
    }

    #[test]
    fn what_another_release_has_is_its_own_in_its_namespace() {
        // The second workload of the other release leaves its namespace to the client.
        let all = [proxy("r", "mine", "n"), proxy("s", "its", "n"), proxy("s", "its-b", "")];
        let releases = inventory(&all).releases;
        assert_eq!(releases.len(), 2);
        let foreign = || {
            let mut foreign = proxy("s", "its", "n");
            foreign.reference.api_version = "example.com/v1".into();
            foreign
        };
        let cases = [
            ("its workload", proxy("q", "its", "n"), true),
            ("a namesake elsewhere", proxy("q", "its", "m"), false),
            ("one that can be its by name alone", proxy("q", "its-b", "m"), false),
            ("one that can be its", proxy("q", "its-b", "n"), true),
            ("a namesake of another API", foreign(), false),
            ("what carries its labels", labelled("s", "milvus", "n"), true),
            ("that elsewhere", labelled("s", "milvus", "m"), false),
            ("what carries its instance alone", labelled("s", "other", "n"), false),
            ("what scales it", scaler("its", "n"), true),
            ("that elsewhere", scaler("its", "m"), false),
            ("what scales this release", scaler("mine", "n"), false),
            ("what its pods mount", named("ConfigMap", "its-conf", "n"), true),
            ("that elsewhere", named("ConfigMap", "its-conf", "m"), false),
            (
                "what the pods of this release mount",
                named("ConfigMap", "mine-conf", "n"),
                false,
            ),
            ("this release's workload", proxy("r", "mine", "n"), false),
            ("this release's labels", labelled("r", "milvus", "n"), false),
        ];
        let alone = &all[..1];
        let one = &releases[0];
        let of = |after: &'static str| match after {
            "after" => Others::of(&all, one, alone, one),
            "before" => Others::of(alone, one, &all, one),
            _ => Others::of(alone, one, alone, one),
        };
        let [after, before, never] = ["after", "before", "never"].map(of);
        for (what, object, own) in &cases {
            let said = |others: &Others| [others.own_after(object), others.own_before(object), others.own(object)];
            assert_eq!(said(&after), [*own, false, *own], "{what}");
            assert_eq!(said(&before), [false, *own, *own], "{what}");
            assert_eq!(said(&never), [false; 3], "{what}");
        }
    }
}
