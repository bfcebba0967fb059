//! Release records, values, versions and quantities.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use milvus_uplift::judge::Current;
use milvus_uplift::kube::quantity::Quantity;
use milvus_uplift::milvus::image::ImageRef;
use milvus_uplift::milvus::version::{Read, Version, read_image, read_tag};
use milvus_uplift::rewrite::values::{self, Values};
use milvus_uplift::state::{self, record::Record};
use milvus_uplift::value::{Map, json};
use milvus_uplift::yaml::{self, Value};

use super::sections;

/// Whatever `--current` is given is read or refused; one release is the same in every wrapping.
pub fn record(data: &[u8]) {
    let _ = state::read(&Current::Manifests(data.into()), None);
    let _ = Record::from_payload(data);
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let Ok(record) = Record::from_value(&value) else { return };
    let json = value.to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(json.as_bytes()).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let payload = STANDARD.encode(&gzip);
    let wrapped = payload
        .as_bytes()
        .chunks(76)
        .map(|c| [c, b"\n"].concat())
        .collect::<Vec<_>>()
        .concat();
    let twice = STANDARD.encode(&payload);
    for bytes in [json.as_bytes(), &gzip, payload.as_bytes(), &wrapped, twice.as_bytes()] {
        assert_eq!(Record::from_payload(bytes).as_ref(), Ok(&record));
    }
    let mut metadata = json!({"name": "sh.helm.release.v1.x.v1", "labels": {"owner": "helm"}});
    // An object in a namespace that Kubernetes cannot have is rightly refused.
    if record.namespace.len() <= 1024 {
        metadata["namespace"] = record.namespace.as_str().into();
    }
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata, "data": {"release": twice}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"release": payload}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [secret]});
    let said = |bytes: &[u8]| match state::read(&Current::Manifests(bytes.into()), None) {
        Ok(source) => source.map(|s| (s.stream.text, s.release, s.namespace, s.values, s.last_revision)),
        Err(findings) => {
            assert!(!findings.is_empty(), "refused without a word");
            None
        }
    };
    let wanted = said(payload.as_bytes());
    for object in [&secret, &map, &list] {
        assert_eq!(said(yaml::emit(object).as_bytes()), wanted, "{}", object["kind"]);
    }
}

/// Values merge as Helm merges them. Each section is a file.
pub fn values(data: &[u8]) {
    let read = |body: &[u8]| std::str::from_utf8(body).ok().and_then(|text| yaml::read(text).ok());
    let files: Option<Vec<Value>> = sections::cut(data)
        .iter()
        .take(4)
        .map(|s| {
            read(s.body)
                .map(|v| v.unwrap_or(Value::Null))
                .filter(|v| v.is_null() || v.is_object())
        })
        .collect();
    let Some(files) = files.filter(|f| !f.is_empty()) else {
        return;
    };
    let mut wanted = Value::Object(Map::new());
    for file in files.iter().filter(|f| !f.is_null()) {
        let once = reference(&wanted, file);
        let mut merged = wanted.clone();
        values::merge(&mut merged, file);
        assert_eq!(merged, once);
        values::merge(&mut merged, file);
        assert_eq!(merged, once, "merging again changes something");
        wanted = once;
    }
    let all = Values::new(&files, &[]);
    assert_eq!(*all.whole(), wanted);
    let keys = wanted.as_object().into_iter().flatten();
    for (key, value) in keys {
        assert_eq!(all.get(&[key]), Some(value));
        assert_eq!(all.truthy(&[key]).is_some(), values::truthy(Some(value)));
        let (_, _) = (values::printed(value), values::int(Some(value)));
        let scoped = Values::new(&files, &[key.to_string()]);
        assert!(scoped.scoped().is_object());
        assert!(!value.is_object() || scoped.scoped() == value);
    }
}

/// Both maps: key by key. Else the later one.
fn reference(base: &Value, over: &Value) -> Value {
    let (Value::Object(a), Value::Object(b)) = (base, over) else {
        return over.clone();
    };
    let kept = a
        .iter()
        .filter(|(k, _)| !b.contains_key(k))
        .map(|(k, v)| (k.clone(), v.clone()));
    let come = b
        .iter()
        .map(|(k, v)| (k.clone(), a.get(k).map_or_else(|| v.clone(), |old| reference(old, v))));
    Value::Object(kept.chain(come).collect())
}

/// Image references, tags, versions and quantities, one a line: what is read prints as it reads, and versions have one
/// order.
pub fn version(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut known: Vec<Version> = Vec::new();
    for line in text.lines().take(12) {
        let line = line.trim();
        let image = ImageRef::parse(line);
        let _ = (image.is_milvus(), read_image(&image));
        // White space inside is no image; what is cut off there is trimmed the second time.
        if !line.contains(char::is_whitespace) {
            assert_eq!(ImageRef::parse(&image.to_string()), image, "{line:?}");
        }
        if let Read::Known(version) = read_tag(line) {
            let again = Version::parse(&version.to_string()).unwrap_or_else(|e| panic!("{line:?}: {e}"));
            assert_eq!(again, version, "{line:?}");
            semver(line.trim_start_matches('v'), &version);
            known.push(version);
        }
        if let Ok(quantity) = Quantity::parse(line) {
            let again = Quantity::parse(&quantity.to_string());
            assert_eq!(again.as_ref().ok(), Some(&quantity), "{line:?} prints as {quantity}");
            assert_eq!(Quantity::from_value(&Value::from(line)).ok(), Some(quantity));
        }
    }
    known.sort();
    for (i, a) in known.iter().enumerate() {
        for (j, b) in known.iter().enumerate() {
            assert!(a.cmp(b) == b.cmp(a).reverse(), "{a} and {b}");
            assert!(i >= j || a <= b, "{a} and {b} have no order");
        }
    }
}

/// Where the text is three numbers, semver reads the same.
fn semver(text: &str, version: &Version) {
    if let Ok(theirs) = semver::Version::parse(text).as_ref()
        && theirs.pre.is_empty()
        && theirs.build.is_empty()
    {
        assert_eq!(version.line(), (theirs.major, theirs.minor), "{text}");
        assert!(
            version.at_least(theirs.major, theirs.minor, theirs.patch) && !version.is_pre(),
            "{text}"
        );
    }
}
