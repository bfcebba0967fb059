//! The values Helm was given: several files merged as Helm merges them, and read as its templates read them.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::milvus::image::ImageRef;
use crate::value::{Map, Value};

/// The values of the Milvus chart, defaults not included: what was not given is absent, what was nulled is null.
#[derive(Clone, Debug)]
pub struct Values {
    /// All that was given, which the releases of a stream share.
    whole: Rc<Whole>,
    /// The keys under which the values of the Milvus chart itself stand in it.
    path: Vec<String>,
}

/// All that was given, merged.
#[derive(Debug, Default)]
pub struct Whole {
    value: Value,
    /// Looked for once for all releases.
    places: OnceCell<Vec<Vec<String>>>,
}

impl Whole {
    fn new(value: Value) -> Whole {
        let places = OnceCell::new();
        Whole { value, places }
    }

    /// The keys below which values of the Milvus chart stand: the root where it has them, else those of subcharts, of many
    /// the first.
    pub fn places(&self) -> &[Vec<String>] {
        self.places.get_or_init(|| {
            let mut found = Vec::new();
            search(&self.value, &mut Vec::new(), &mut found);
            found
        })
    }
}

/// What a chart has that was given nothing.
static NOTHING: Value = Value::Object(Map::new());

/// Keys of the Milvus chart that no other chart is likely to have.
const OWN_KEYS: [&str; 10] = [
    "mixCoordinator",
    "rootCoordinator",
    "queryCoordinator",
    "dataCoordinator",
    "indexCoordinator",
    "queryNode",
    "dataNode",
    "indexNode",
    "streamingNode",
    "extraConfigFiles",
];

/// Whether these are values of the Milvus chart itself, by their keys.
pub fn holds_own_keys(values: &Value) -> bool {
    let all = values.pointer("/image/all").is_some_and(Value::is_object);
    all || OWN_KEYS.iter().any(|key| values.get(key).is_some_and(Value::is_object))
}

/// How deep subcharts are looked for in each other.
const DEPTH: usize = 3;

/// How many places are told at most.
const PLACES: usize = 8;

fn search(values: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if holds_own_keys(values) {
        found.push(path.clone());
        return;
    }
    for (key, below) in values.as_object().into_iter().flatten() {
        if path.len() == DEPTH || found.len() == PLACES {
            return;
        }
        path.push(key.to_string());
        search(below, path, found);
        path.pop();
    }
}

/// Merges `over` into `base`: maps key by key, everything else replaced; a null stays as a null, which deletes the
/// chart's default later (helm pkg/chart/common/util coalesce).
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    Some(old) => merge(old, value),
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// Truth as Go templates know it: false, 0, "", null, empty maps and lists are false.
pub fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(b)) => *b,
        Some(Value::Number(n)) => n.as_f64() != Some(0.0),
        Some(Value::String(s)) => !s.is_empty(),
        Some(Value::Array(a)) => !a.is_empty(),
        Some(Value::Object(m)) => !m.is_empty(),
    }
}

/// The files merged in order, once for all releases of a stream; `None` where none was given.
pub fn merged(files: &[Value]) -> Option<Rc<Whole>> {
    if files.is_empty() {
        return None;
    }
    let mut all = Value::Object(Map::new());
    for file in files.iter().filter(|f| !f.is_null()) {
        merge(&mut all, file);
    }
    Some(Rc::new(Whole::new(all)))
}

impl Values {
    /// Merges the files in order, then descends to the subchart's key where the chart is part of an umbrella.
    pub fn new(files: &[Value], path: &[String]) -> Values {
        Values::within(merged(files).unwrap_or_default(), path.to_vec())
    }

    /// Those of a chart in what was merged: below the subchart's key where it is part of an umbrella.
    pub fn within(whole: Rc<Whole>, path: Vec<String>) -> Values {
        Values { whole, path }
    }

    /// All that was given, the values of an umbrella chart included.
    pub fn whole(&self) -> &Value {
        &self.whole.value
    }

    /// [`Whole::places`]
    pub fn places(&self) -> &[Vec<String>] {
        self.whole.places()
    }

    /// The keys below which the values of the Milvus chart itself stand.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The values of the Milvus chart itself.
    pub fn scoped(&self) -> &Value {
        // No longer way than the values are deep, however long the path.
        let scoped = self.path.iter().try_fold(&self.whole.value, |v, key| v.entry(key));
        scoped.filter(|v| v.is_object()).unwrap_or(&NOTHING)
    }

    /// The value at a path, `None` where it was not given.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self.scoped(), |v, key| v.entry(key))
    }

    /// The value at a path where a template's `if` takes it for true.
    pub fn truthy(&self, path: &[&str]) -> Option<&Value> {
        self.get(path).filter(|v| truthy(Some(v)))
    }

    /// Whether an image has the tag that was given, as the template prints it; `None` where none was given.
    pub fn tags(&self, image: &str) -> Option<bool> {
        let given = self.truthy(&["image", "all", "tag"])?;
        let text = printed(given)?;
        let tag = ImageRef::parse(image).tag.unwrap_or_default();
        let as_number = || given.is_number() && same_number(&tag, &text);
        Some(tag == text || image.ends_with(&format!(":{text}")) || as_number())
    }

    /// The value at a path as text, the way a template prints it; `None` where absent or null.
    pub fn text(&self, path: &[&str]) -> Option<String> {
        printed(self.get(path)?)
    }
}

/// A scalar as `{{ . }}` prints it; `None` for null, maps and lists.
pub fn printed(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.to_string()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// Templates print large numbers with an exponent.
fn same_number(a: &str, b: &str) -> bool {
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

/// Sprig's `int`: numbers truncated, numeric texts read, everything else zero.
pub fn int(value: Option<&Value>) -> i64 {
    match value {
        Some(Value::Number(n)) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)).unwrap_or(0),
        Some(Value::String(s)) => s.trim().parse().unwrap_or(0),
        Some(Value::Bool(true)) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn releases_share_what_was_merged() {
        assert!(merged(&[]).is_none());
        let whole = merged(&[json!({"a": {"x": 1}, "b": {"x": 2}, "c": 3})]).expect("a file");
        let of = |path: &[&str]| Values::within(Rc::clone(&whole), path.iter().map(|key| (*key).to_owned()).collect());
        let [a, b, text, none] = [of(&["a"]), of(&["b"]), of(&["c"]), of(&["a", "x", "y"])];
        assert_eq!([a.get(&["x"]), b.get(&["x"])], [Some(&json!(1)), Some(&json!(2))]);
        assert_eq!([text.scoped(), none.scoped()], [&json!({}), &json!({})]);
        assert!(std::ptr::eq(a.whole(), b.whole()));
    }

    #[test]
    fn places_of_the_chart_s_values_are_found_below_others() {
        let milvus = json!({"queryNode": {"replicas": 1}});
        let places = |value: &Value| Whole::new(value.clone()).places().to_vec();
        assert_eq!(places(&milvus), [vec![]; 1] as [Vec<String>; 1]);
        let nested = json!({"a": {"tag": 1}, "b": {"c": milvus.clone()}, "d": {"image": {"all": {}}}});
        assert_eq!(places(&nested), [vec!["b", "c"], vec!["d"]]);
        // What stands below values of Milvus is no chart of its own; what stands too deep is not looked for.
        assert_eq!(places(&json!({"a": {"indexNode": {"queryNode": {}}}})), [["a"]]);
        assert!(places(&json!({"a": {"b": {"c": {"d": milvus.clone()}}}})).is_empty());
        let many: Map = (0..20).map(|i| (format!("k{i:02}"), milvus.clone())).collect();
        assert_eq!(places(&Value::Object(many)).len(), PLACES);
    }

    #[test]
    fn later_files_win_maps_merge_lists_are_replaced_nulls_stay() {
        let a = json!({"m": {"x": 1, "y": 2}, "l": [1, 2], "n": {"z": 1}});
        let b = json!({"m": {"y": 3}, "l": [9], "n": null});
        let v = Values::new(&[a, Value::Null, b], &[]);
        assert_eq!(*v.scoped(), json!({"m": {"x": 1, "y": 3}, "l": [9], "n": null}));
    }

    #[test]
    fn a_null_over_a_map_and_a_map_over_a_null() {
        let v = Values::new(&[json!({"m": null}), json!({"m": {"x": 1}})], &[]);
        assert_eq!(v.get(&["m", "x"]), Some(&json!(1)));
    }

    #[test]
    fn an_umbrella_roots_at_the_subcharts_key() {
        let files = [json!({"vectors": {"image": {"all": {"tag": "v2.6.6"}}}, "image": {"all": {"tag": "other"}}})];
        let v = Values::new(&files, &["vectors".into()]);
        assert_eq!(v.text(&["image", "all", "tag"]).as_deref(), Some("v2.6.6"));
        assert_eq!(Values::new(&files, &["absent".into()]).get(&["image"]), None);
    }

    #[test]
    fn truth_and_int_are_go_s() {
        for falsy in [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({}),
        ] {
            assert!(!truthy(Some(&falsy)), "{falsy}");
        }
        assert!(truthy(Some(&json!("false"))) && !truthy(None));
        assert_eq!(
            [
                int(Some(&json!("3"))),
                int(Some(&json!(2.9))),
                int(Some(&json!("x"))),
                int(None),
                int(Some(&json!(-1)))
            ],
            [3, 2, 0, 0, -1]
        );
    }

    #[test]
    fn scalars_are_printed_and_replaced() {
        let all = [
            json!("a"),
            json!(1),
            json!(1.5),
            json!(true),
            json!(false),
            json!(null),
            json!([]),
            json!({}),
        ];
        let printed: Vec<Option<String>> = all.iter().map(printed).collect();
        let texts = ["a", "1", "1.5", "true", "false"].map(|text| Some(text.to_owned()));
        assert_eq!(printed, [&texts[..], &[None, None, None]].concat());
        assert_eq!([int(Some(&json!(true))), int(Some(&json!(false)))], [1, 0]);
        for (a, b) in [
            (json!(1), json!({"x": 1})),
            (json!({"x": 1}), json!([1])),
            (json!({"x": 1}), json!("s")),
        ] {
            let merged = Values::new(&[json!({ "k": a }), json!({ "k": b.clone() })], &[]);
            assert_eq!(merged.get(&["k"]), Some(&b));
        }
    }
}
