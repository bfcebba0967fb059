//! The Milvus ConfigMap's part in the rewrite: active-standby, and the checksums that follow its content.

use sha2::{Digest, Sha256};

use super::values::truthy;
use super::{Change, ChangeOp, Rewrite, Scene, add, replace};
use crate::kube::object::escape;
use crate::kube::{Object, workload};
use crate::milvus::effective::{self, ConfigMaps};
use crate::milvus::role::Role;
use crate::value::Value;
use crate::yaml::{self, PatchOp};

/// Where the chart notes the checksum of the rendered ConfigMap.
pub const CHECKSUM: &str = "checksum/config";

/// The coordinators' sections in Milvus' configuration.
const SECTIONS: [(&str, Role); 4] = [
    ("rootCoord", Role::RootCoord),
    ("queryCoord", Role::QueryCoord),
    ("indexCoord", Role::IndexCoord),
    ("dataCoord", Role::DataCoord),
];

/// Whether every coordinator of the stream runs active-standby, by its effective configuration.
pub fn all_standby(scene: &Scene) -> bool {
    let mut coordinators = scene.release.legacy_coordinators().peekable();
    let among = ConfigMaps::of(&scene.stream.objects);
    coordinators.peek().is_some()
        && coordinators.all(|c| {
            let section = SECTIONS
                .iter()
                .find(|(_, role)| *role == c.role)
                .map_or("rootCoord", |(s, _)| s);
            let config = effective::config(&among, c, false, &scene.texts);
            config
                .value(&format!("{section}.enableActiveStandby"))
                .is_some_and(is_true)
        })
}

/// Go's strconv.ParseBool.
pub fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// Says `enableActiveStandby: true` for all four where mixcoord comes as active-standby, as the chart writes it.
pub fn enable_standby(scene: &Scene, arriving: &[&Value], out: &mut Rewrite) {
    let wanted = scene
        .values
        .is_some_and(|v| truthy(v.get(&["mixCoordinator", "activeStandby", "enabled"])));
    let mixcoord = |w: &&&Value| {
        w.pointer("/spec/template/metadata/labels").is_some()
            && w["metadata"]["name"].as_str().is_some_and(|n| n.ends_with("-mixcoord"))
    };
    if !wanted || arriving.iter().find(mixcoord).is_none() {
        return;
    }
    let among = ConfigMaps::of(&scene.stream.objects);
    let Some((index, key)) = scene
        .release
        .components
        .iter()
        .find_map(|c| effective::default_yaml(&among, c))
    else {
        return;
    };
    let map = &scene.stream.objects[index];
    let Some(Ok(Some(config))) = map.at(&["data", &key]).and_then(Value::as_str).map(yaml::read) else {
        return;
    };
    let base = format!("/data/{}#", escape(&key));
    let mut patch: Vec<PatchOp> = Vec::new();
    for (section, _) in SECTIONS {
        let path = format!("{base}/{section}/enableActiveStandby");
        match config.get(section) {
            Some(Value::Object(s)) if s.get("enableActiveStandby") == Some(&Value::Bool(true)) => {}
            Some(Value::Object(s)) if s.contains_key("enableActiveStandby") => patch.push(replace(path, true)),
            Some(Value::Object(_)) => patch.push(add(path, true)),
            Some(_) => patch.push(replace(
                format!("{base}/{section}"),
                crate::value::json!({"enableActiveStandby": true}),
            )),
            None => patch.push(add(
                format!("{base}/{section}"),
                crate::value::json!({"enableActiveStandby": true}),
            )),
        }
    }
    if !patch.is_empty() {
        out.changes
            .push(Change::patch(map, patch, "mixcoord runs active-standby"));
    }
}

/// Where the rewrite edits the Milvus ConfigMap, the pods that run Milvus must restart with it: gives them a new
/// `checksum/config`, derived from the new content. Returns it for what is yet to come.
pub fn renew_checksums(scene: &Scene, out: &mut Rewrite) -> Option<String> {
    let edited = out
        .changes
        .iter()
        .find(|c| c.op == ChangeOp::Patch && c.object.kind == "ConfigMap")?;
    let map = scene
        .stream
        .objects
        .iter()
        .find(|o| o.document == edited.document && o.pointer == edited.pointer)?;
    let content = yaml::patch_value(&map.value, &edited.patch).ok()?;
    let sum = checksum(content.get("data").unwrap_or(&Value::Null));
    let changes: Vec<Change> = scene.staying().filter_map(|c| renewed(scene.object(c), &sum)).collect();
    out.changes.extend(changes);
    Some(sum)
}

fn renewed(object: &Object, sum: &str) -> Option<Change> {
    let base = workload::template_pointer(&object.reference.kind)?;
    let path = format!("{base}/metadata/annotations/{}", escape(CHECKSUM));
    object.value.pointer(&path)?;
    Some(Change::patch(
        object,
        vec![replace(path, sum)],
        "its configuration changes",
    ))
}

/// The checksum of a ConfigMap's `data`, as the rewrite notes it: SHA-256 in hex, as the chart writes it. The order of the
/// keys has no part in it: pods need no restart for that.
pub fn checksum(data: &Value) -> String {
    let mut data = data.clone();
    data.sort_all_objects();
    let digest = Sha256::digest(data.to_string().as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}
