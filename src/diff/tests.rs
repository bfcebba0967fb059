use proptest::prelude::*;

use super::*;
use crate::finding::Input;
use crate::stream::Stream;
use crate::value::{Value, json};
use crate::yaml;

fn objects(text: &str) -> Vec<Object> {
    Stream::read(text.as_bytes(), Input::Target)
        .unwrap_or_else(|e| panic!("{e:?}\n{text}"))
        .objects
}

fn compared(before: &str, after: &str) -> Diff {
    diff(&Side::of(&objects(before)), &Side::of(&objects(after)), &How::default())
}

/// `path: before -> after` of each change.
fn changes(before: Value, after: Value) -> Vec<String> {
    let found = compared(&yaml::emit(&before), &yaml::emit(&after));
    let show = |v: &Option<Value>| v.as_ref().map_or("nothing".into(), Value::to_string);
    let all = found.objects.iter().flat_map(|o| &o.changes);
    all.map(|c| format!("{}: {} -> {}", c.at, show(&c.before), show(&c.after)))
        .collect()
}

fn deployment(container: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [container]}}}})
}

fn config(text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"default.yaml": text}})
}

#[test]
fn what_means_the_same_is_the_same() {
    let before = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, annotations: {}}\nspec:\n  template:\n    spec:\n      containers:\n      \
        - name: x\n        resources: {limits: {cpu: 1000m, memory: 1Gi}, requests: {cpu: '0.5'}}\n        env: [{name: A, value: '1'}, {name: B, value: '2'}]\n        \
        args: [\"sh\", '-c', \"a\\nb\\n\"]\n      volumes: [{name: v, emptyDir: {sizeLimit: 1024Mi}}]\n";
    let after = "# Source: m/templates/a.yaml\nkind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: a\n  namespace: ns\nspec:\n  template:\n    spec:\n      volumes:\n      \
        - emptyDir:\n          sizeLimit: 1Gi\n        name: v\n      initContainers: []\n      containers:\n      - env:\n        - name: B\n          value: \"2\"\n        - {value: \"1\", name: A}\n        \
        args:\n        - sh\n        - -c\n        - |-\n          a\n          b\n        name: x\n        resources:\n          requests:\n            cpu: 500m\n          limits:\n            cpu: 1\n            memory: 1024Mi\n";
    let found = compared(before, after);
    assert!(found.is_empty(), "{}", text_of(&found));
    assert_eq!(found.same, 1);
}

fn text_of(diff: &Diff) -> String {
    text::render(
        diff,
        &text::Style {
            context: 1,
            colour: false,
        },
    )
}

#[test]
fn quantities_are_equal_only_where_they_are_quantities() {
    let env = |v: &str| deployment(json!({"name": "x", "env": [{"name": "CPU", "value": v}]}));
    assert_eq!(
        changes(env("1000m"), env("1")),
        ["spec.template.spec.containers[x].env[CPU].value: \"1000m\" -> \"1\""]
    );
    assert_eq!(
        changes(config("limits:\n  cpu: 1000m\n"), config("limits:\n  cpu: 1\n")),
        ["data[default.yaml]#limits.cpu: \"1000m\" -> 1"]
    );
}

#[test]
fn configuration_is_compared_key_by_key_and_secrets_are_numbers() {
    let before = config("# a\nminio:\n  secretAccessKey: hunter2\n  port: 9000\nmq: {type: pulsar}\n");
    let after = config("mq:\n  type: pulsar # b\nminio: {port: 9001, secretAccessKey: hunter3}\n");
    assert_eq!(
        changes(before.clone(), after.clone()),
        [
            "data[default.yaml]#minio.port: 9000 -> 9001",
            "data[default.yaml]#minio.secretAccessKey: \"***#1\" -> \"***#2\""
        ]
    );
    let found = compared(&yaml::emit(&before), &yaml::emit(&after));
    assert!(found.masked() && !text_of(&found).contains("hunter"));
    let how = How {
        show_secrets: true,
        ..How::default()
    };
    let (b, a) = (objects(&yaml::emit(&before)), objects(&yaml::emit(&after)));
    let open = diff(&Side::of(&b), &Side::of(&a), &how);
    assert!(!open.masked() && text_of(&open).contains("hunter3"));
}

#[test]
fn a_change_that_the_mask_hides_is_still_a_change() {
    let text = |comment: &str| format!("# {comment}\npassword: hunter2\n");
    let map = |comment: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x.txt": text(comment)}});
    let found = compared(&yaml::emit(&map("token=hunter3")), &yaml::emit(&map("token=hunter4")));
    assert_eq!(found.objects.len(), 1);
    assert!(!text_of(&found).contains("hunter"), "{}", text_of(&found));
    assert!(!found.objects[0].changes.is_empty());
}

#[test]
fn lists_change_item_by_item() {
    let before = deployment(
        json!({"name": "x", "volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
        "ports": [{"name": "grpc", "containerPort": 1}]}),
    );
    let after = deployment(json!({"name": "x", "volumeMounts": [{"name": "w", "mountPath": "/b"}],
        "ports": [{"name": "grpc", "containerPort": 2}]}));
    let at = "spec.template.spec.containers[x]";
    assert_eq!(
        changes(before, after),
        [
            format!("{at}.volumeMounts[/a]: {{\"name\":\"v\",\"mountPath\":\"/a\"}} -> nothing"),
            format!("{at}.volumeMounts[/b].name: \"v\" -> \"w\""),
            format!("{at}.ports[grpc].containerPort: 1 -> 2"),
        ]
    );
}

#[test]
fn a_live_object_is_its_manifest() {
    let manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {x: z}}\nspec: {ports: [{port: 1, name: p}], selector: {a: b}}\n";
    let live = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: a\n    namespace: ns\n    uid: u\n    resourceVersion: '7'\n    \
        creationTimestamp: '2025-01-01T00:00:00Z'\n    labels: {x: z, app.kubernetes.io/managed-by: Helm}\n    annotations: {meta.helm.sh/release-name: r}\n    managedFields: [{manager: helm}]\n  \
        spec:\n    clusterIP: 10.0.0.1\n    clusterIPs: [10.0.0.1]\n    ipFamilies: [IPv4]\n    ipFamilyPolicy: SingleStack\n    internalTrafficPolicy: Cluster\n    sessionAffinity: None\n    type: ClusterIP\n    \
        ports: [{name: p, port: 1, protocol: TCP, targetPort: 1}]\n    selector: {a: b}\n  status: {loadBalancer: {}}\n";
    let found = compared(live, manifest);
    assert!(found.is_empty(), "{}", text_of(&found));
    // What somebody set and takes away again is none of the server's fields.
    let other = live.replace("sessionAffinity: None", "sessionAffinity: ClientIP");
    let found = compared(&other, manifest);
    assert_eq!(found.objects[0].changes.len(), 1, "{}", text_of(&found));
    let patch = &found.objects[0].patch;
    assert_eq!(patch.len(), 1);
    assert_eq!(patch[0].path, "/spec/sessionAffinity");
}

#[test]
fn bookkeeping_of_hosts_is_not_told() {
    let file = format!("{}: m/templates/a.yaml", crate::host::FILENAME);
    let bare = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
    let noted = format!("{bare}  annotations:\n    {file}\n");
    assert!(compared(bare, &noted).is_empty() && compared(&noted, bare).is_empty());
    let annotated = format!("{bare}  annotations:\n    x: z\n");
    let found = compared(&noted, &annotated);
    assert_eq!(found.objects[0].changes[0].at, "metadata.annotations.x");
    // The annotation stays where it is.
    let result = yaml::patch_value(&objects(&noted)[0].value, &found.objects[0].patch).unwrap();
    assert_eq!(
        result["metadata"]["annotations"],
        json!({crate::host::FILENAME: "m/templates/a.yaml", "x": "z"})
    );
    assert!(!text_of(&compared("", &noted)).contains("postrenderer"));
}

#[test]
fn hunks_say_where_they_stand_and_nothing_moves_the_cursor() {
    let container =
        |arg: &str| json!({"name": "x", "image": "i", "command": ["a", "b", "c"], "args": [arg], "tty": true});
    let found = compared(
        &yaml::emit(&deployment(container("1"))),
        &yaml::emit(&deployment(container("\u{1b}[2J"))),
    );
    let text = text_of(&found);
    assert!(
        text.contains("@@ -15,3 +15,3 @@ spec.template.spec.containers[x].args\n"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
    let painted = text::render(
        &found,
        &text::Style {
            context: 0,
            colour: true,
        },
    );
    assert!(painted.contains("\u{1b}[31m-        - "), "{painted:?}");
}

#[test]
fn a_comment_has_a_size_and_names_what_it_left_out() {
    let map = |i: usize| {
        let data = "é".repeat(3000);
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: 'map-{i}'}}\ndata: {{a: '{data}'}}\n")
    };
    let all: String = (0..900).map(map).collect();
    let text = markdown::render(Some(&compared("", &all)), &[], 3);
    assert!(
        text.chars().count() <= crate::report::markdown::LIMIT + 536,
        "{}",
        text.chars().count()
    );
    assert!(text.contains("A comment has no room for ") && text.contains("more. `milvus-uplift diff` shows them all."));
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

/// A value such as manifests hold.
fn value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "name",
        "env",
        "spec",
        "data",
        "x\\.yaml",
        "args",
        "limits",
        "annotations",
        "a/b~c",
        "password"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3i64).prop_map(Value::from),
        prop_oneof!["", "a", "b: 1\n", "a\nb\n", "1000m", "1", "hunter2"].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    let kind = prop_oneof!["ConfigMap", "Deployment", "Secret"];
    (kind, value(), value()).prop_map(|(kind, data, spec)| {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "data": data, "spec": spec})
    })
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.iter().rev().map(|(k, v)| (k.clone(), reversed(v))).collect()),
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

fn sides(before: &Value, after: &Value, how: &How) -> Diff {
    let one = |v: &Value| Object::all_in(0, v.clone()).unwrap();
    diff(&Side::of(&one(before)), &Side::of(&one(after)), how)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_differs_from_itself_however_it_is_written(x in object()) {
        prop_assert!(sides(&x, &reversed(&x), &How::default()).is_empty());
        let flow = x.to_string();
        prop_assert!(compared(&yaml::emit(&x), &flow).is_empty());
    }

    #[test]
    fn the_patch_makes_the_one_of_the_other(x in object(), y in object()) {
        let y = { let mut y = y; y["kind"] = x["kind"].clone(); y };
        let how = How { show_secrets: true, ..How::default() };
        let found = sides(&x, &y, &how);
        let patched = match found.objects.first() {
            Some(one) => {
                let patch: json_patch::Patch = serde_json::from_value(serde_json::to_value(&one.patch).unwrap()).unwrap();
                let mut value = serde_json::Value::from(x.clone());
                json_patch::patch(&mut value, &patch).unwrap();
                Value::from(value)
            }
            None => x.clone(),
        };
        let left = sides(&patched, &y, &how);
        prop_assert!(left.is_empty(), "{}\n{:?}", text_of(&left), found.objects.first().map(|o| &o.patch));
        // Both ways the same objects differ, and every change shows in the text.
        prop_assert_eq!(sides(&y, &x, &how).is_empty(), found.is_empty());
        if let Some(one) = found.objects.first() {
            prop_assert!(!one.changes.is_empty());
            prop_assert!(!lines::hunks(&one.tree, 0).is_empty(), "{:?}", one.changes);
        }
    }

    #[test]
    fn masked_or_not_the_same_objects_differ(x in object(), y in object()) {
        let y = { let mut y = y; y["kind"] = x["kind"].clone(); y };
        let open = sides(&x, &y, &How { show_secrets: true, ..How::default() });
        let masked = sides(&x, &y, &How::default());
        prop_assert_eq!(open.is_empty(), masked.is_empty());
    }
}
