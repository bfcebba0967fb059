//! Release records as Helm stores them: `helm.sh/helm/pkg/storage/driver` of Helm 3.14 to 3.21 and 4.0 to 4.2.
//!
//! A payload is the base64 of the gzip of the release as JSON; releases from before compression lack the gzip. A
//! ConfigMap holds it as it is, a Secret once more in base64. Fields that are not needed here, and those only a later
//! Helm knows, are passed over.

use std::io::Read;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foldhash::HashMap;
use memchr::memmem;

use super::Seen;
use crate::kube::Object;
use crate::kube::object::text_at;
use crate::value::Value;
use crate::yaml;

/// The size up to which a record is decompressed. etcd keeps no object over some megabytes, and a release compresses
/// to a tenth or less: beyond this it is no release.
pub const MAX_SIZE: u64 = 64 << 20;

/// How many bytes several records may still unpack to.
#[derive(Clone, Copy, Debug)]
pub struct Room(u64);

impl Default for Room {
    /// For one.
    fn default() -> Room {
        Room(MAX_SIZE)
    }
}

impl Room {
    /// For those in a text of so many bytes: releases compress to a tenth, and are encoded twice.
    #[must_use]
    pub fn of(length: usize) -> Room {
        Room((length as u64).saturating_mul(16).saturating_add(4 * MAX_SIZE))
    }
}

/// Records that were unpacked before, by the namespace and the payload of their objects.
#[derive(Debug, Default)]
pub struct Unpacked(HashMap<(String, String), Arc<Record>>);

impl Unpacked {
    /// The records of some objects, in their order.
    pub fn of(objects: &[Object], records: Vec<Arc<Record>>) -> Unpacked {
        let of_records = objects.iter().filter(|object| Record::is_in(object));
        let each = of_records.zip(records);
        Unpacked(each.filter_map(|(o, record)| Some((key(o)?, record))).collect())
    }

    /// The record of an object, unpacked again only where it is none of these. See [`Record::from_object`].
    pub fn record(&self, object: &Object, room: &mut Room) -> Option<Result<Arc<Record>, String>> {
        let known = match self.0.is_empty() || !Record::is_in(object) {
            true => None,
            false => key(object).and_then(|key| self.0.get(&key)),
        };
        match known {
            Some(record) => Some(Ok(Arc::clone(record))),
            None => Record::from_object(object, room).map(|record| record.map(Arc::new)),
        }
    }
}

fn payload(object: &Object) -> Option<&str> {
    ["data", "stringData"]
        .iter()
        .find_map(|field| text_at(&object.value, &[*field, "release"]))
}

fn key(object: &Object) -> Option<(String, String)> {
    Some((object.reference.namespace.clone(), payload(object)?.to_owned()))
}

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// One revision of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The release.
    pub name: String,
    /// Its namespace; empty where the record does not say it.
    pub namespace: String,
    /// The revision, from 1.
    pub revision: u64,
    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, …
    pub status: String,
    /// The manifests, as they were applied; hooks are stored apart and no part of it.
    pub manifest: String,
    /// The values the user gave; `None` where the record does not carry them.
    pub values: Option<Value>,
    /// What its manifest knows of versions.
    pub knows: Knows,
}

/// What the manifest of a record knows of versions: read when it is first asked for, and once.
#[derive(Clone, Debug, Default)]
pub struct Knows(OnceLock<Vec<Seen>>);

impl Knows {
    pub(super) fn get_or_read(&self, read: impl FnOnce() -> Vec<Seen>) -> &[Seen] {
        self.0.get_or_init(read)
    }
}

impl PartialEq for Knows {
    /// It follows from the manifest, whether it was read by now or not.
    fn eq(&self, _: &Knows) -> bool {
        true
    }
}

impl Record {
    /// `revision 4 (failed)`.
    pub fn label(&self) -> String {
        format!("revision {} ({})", self.revision, self.status)
    }

    /// Whether it is what Helm takes for deployed.
    pub fn is_deployed(&self) -> bool {
        self.status == "deployed"
    }

    /// A release as JSON, after all decoding.
    pub fn from_value(value: &Value) -> Result<Record, String> {
        let need = |path: &[&str]| {
            text_at(value, path)
                .map(str::to_owned)
                .ok_or_else(|| format!("a release record needs `{}`", path.join(".")))
        };
        let revision = value.get("version").and_then(Value::as_u64);
        Ok(Record {
            name: need(&["name"])?,
            namespace: text_at(value, &["namespace"]).unwrap_or_default().to_owned(),
            revision: revision.ok_or("a release record needs `version`, the number of its revision")?,
            status: need(&["info", "status"])?.to_ascii_lowercase(),
            manifest: text_at(value, &["manifest"]).unwrap_or_default().to_owned(),
            values: Some(match value.get("config") {
                None | Some(Value::Null) => Value::Object(crate::value::Map::new()),
                Some(config) => config.clone(),
            }),
            knows: Knows::default(),
        })
    }

    /// Whether a mapping is a release and no Kubernetes object.
    pub fn is_value(value: &Value) -> bool {
        value.get("kind").is_none()
            && value.get("manifest").is_some()
            && value.get("info").is_some_and(Value::is_object)
    }

    /// A payload in any of its wrappings: base64 of base64, base64, gzip, JSON.
    pub fn from_payload(bytes: &[u8]) -> Result<Record, String> {
        Record::within(bytes, &mut Room::default())
    }

    fn within(bytes: &[u8], room: &mut Room) -> Result<Record, String> {
        let mut bytes = bytes.to_vec();
        for _ in 0..2 {
            if bytes.starts_with(&GZIP) || bytes.trim_ascii_start().starts_with(b"{") {
                break;
            }
            bytes.retain(|b| !b.is_ascii_whitespace());
            bytes = STANDARD.decode(&bytes).map_err(|e| format!("it is no base64: {e}"))?;
        }
        if bytes.starts_with(&GZIP) {
            bytes = gunzip(&bytes, room)?;
        }
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|e| format!("no release as JSON is inside: {}", in_words(&e)))?;
        Record::from_value(&value)
    }

    /// Whether a Secret or ConfigMap holds a record.
    pub fn is_in(object: &Object) -> bool {
        let labelled = object.label("owner") == Some("helm");
        match object.reference.kind.as_str() {
            "Secret" => text_at(&object.value, &["type"]) == Some("helm.sh/release.v1") || labelled,
            "ConfigMap" => labelled,
            _ => false,
        }
    }

    /// The record in a Secret or ConfigMap; `None` for any other object. `room` is what all of them may unpack to.
    pub fn from_object(object: &Object, room: &mut Room) -> Option<Result<Record, String>> {
        if !Record::is_in(object) {
            return None;
        }
        let reference = &object.reference;
        let Some(payload) = payload(object) else {
            return Some(Err(format!(
                "{reference} is a release record and holds no `data.release`"
            )));
        };
        Some(match Record::within(payload.as_bytes(), room) {
            Ok(mut record) => {
                if record.namespace.is_empty() {
                    record.namespace.clone_from(&reference.namespace);
                }
                Ok(record)
            }
            Err(why) => Err(format!("{reference} is a release record that cannot be read: {why}")),
        })
    }
}

/// Whether a text can only be a payload: one word of base64, longer than any name.
pub fn looks_like_payload(text: &str) -> bool {
    let mut length = 0;
    for c in text.trim().chars() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/' | '=' => length += 1,
            '\n' | '\r' => {}
            _ => return false,
        }
    }
    length >= 64
}

/// Whether bytes are a payload without base64.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP)
}

fn gunzip(bytes: &[u8], Room(room): &mut Room) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let most = MAX_SIZE.min(*room);
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(most + 1);
    reader
        .read_to_end(&mut out)
        .map_err(|e| format!("it is no whole gzip: {e}"))?;
    let size = out.len() as u64;
    if size > MAX_SIZE {
        return Err(format!(
            "it unpacks to more than {} MiB: that is no release",
            MAX_SIZE >> 20
        ));
    }
    if size > most {
        return Err(
            "with it the records unpack to more than releases of this size do: hand over those of one release, \
                    kubectl get secrets --selector owner=helm,name=NAME --output yaml"
                .into(),
        );
    }
    *room -= size;
    Ok(out)
}

/// What is wrong with a JSON text, without quoting any of it: a record holds secrets.
fn in_words(e: &serde_json::Error) -> String {
    let what = match e.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "it is no JSON",
        _ => "it is another JSON",
    };
    format!("{what}, line {} column {}", e.line(), e.column())
}

/// The records a JSON or YAML text holds without any wrapping: one release, or a list of them.
pub fn decoded(text: &str) -> Option<Result<Vec<Record>, String>> {
    let start = text.trim_start();
    let holds = |word: &str| memmem::find(start.as_bytes(), word.as_bytes()).is_some();
    let value = if start.starts_with(['{', '[']) {
        serde_json::from_str(start).ok()?
    } else if holds("manifest:") && holds("info:") {
        yaml::read(text).ok()??
    } else {
        return None;
    };
    match &value {
        Value::Array(list) if !list.is_empty() && list.iter().all(Record::is_value) => {
            Some(list.iter().map(Record::from_value).collect())
        }
        one if Record::is_value(one) => Some(Record::from_value(one).map(|r| vec![r])),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::value::json;
    use std::io::Write;

    pub fn release(revision: u64, status: &str, manifest: &str) -> Value {
        json!({"name": "rel", "namespace": "ns", "version": revision, "info": {"status": status, "description": "x"},
            "config": {"image": {"all": {"tag": "v2.5.16"}}}, "manifest": manifest, "apply_method": "ssa",
            "chart": {"metadata": {"name": "milvus", "version": "4.2.58"}}, "hooks": []})
    }

    pub fn payload(release: &Value) -> String {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gz.write_all(release.to_string().as_bytes()).unwrap();
        STANDARD.encode(gz.finish().unwrap())
    }

    pub fn secret(release: &Value) -> Value {
        let name = format!("sh.helm.release.v1.rel.v{}", release["version"]);
        json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": name, "namespace": "ns",
            "labels": {"owner": "helm", "name": "rel"}}, "data": {"release": STANDARD.encode(payload(release))}})
    }

    #[test]
    fn every_wrapping_is_the_same_release() {
        let release = release(3, "deployed", "---\nkind: A\n");
        let want = Record::from_value(&release).unwrap();
        let once = payload(&release);
        let gzip = STANDARD.decode(&once).unwrap();
        let legacy = STANDARD.encode(release.to_string());
        let wrapped = STANDARD
            .encode(&once)
            .as_bytes()
            .chunks(76)
            .map(|c| [c, b"\n"].concat())
            .collect::<Vec<_>>()
            .concat();
        for bytes in [
            once.clone().into_bytes(),
            wrapped,
            gzip,
            legacy.into_bytes(),
            release.to_string().into_bytes(),
        ] {
            assert_eq!(Record::from_payload(&bytes).unwrap(), want);
        }
        assert!(looks_like_payload(&once));
        assert_eq!(want.label(), "revision 3 (deployed)");
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0u8; 1 << 20];
        for _ in 0..66 {
            gz.write_all(&zeros).unwrap();
        }
        let text = STANDARD.encode(gz.finish().unwrap());
        assert!(Record::from_payload(text.as_bytes()).unwrap_err().contains("64 MiB"));
    }

    #[test]
    fn errors_quote_nothing_of_the_payload() {
        let secret = STANDARD.encode("{\"config\": {\"password\": \"hunter2\"");
        let why = Record::from_payload(secret.as_bytes()).unwrap_err();
        assert!(why.contains("ends too early") && !why.contains("hunter2"), "{why}");
        let cut = &payload(&release(1, "deployed", ""))[..80];
        assert!(Record::from_payload(cut.as_bytes()).is_err());
        assert!(
            Record::from_value(&json!({"name": "a"}))
                .unwrap_err()
                .contains("version")
        );
    }

    #[test]
    fn only_helms_own_objects_are_records() {
        let of = |value: Value| Record::from_object(&Object::all_in(0, value).unwrap()[0], &mut Room::default());
        let release = release(1, "deployed", "x");
        assert_eq!(of(secret(&release)).unwrap().unwrap().revision, 1);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rel.v1", "labels": {"owner": "helm"}},
            "data": {"release": payload(&release)}});
        assert_eq!(of(map).unwrap().unwrap().name, "rel");
        assert!(
            of(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"release": "eA=="}}))
                .is_none()
        );
        let empty =
            json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": "a"}});
        assert!(of(empty).unwrap().unwrap_err().contains("data.release"));
    }
}
