//! The settings a user made, wherever they stand: what MU401 to MU403 speak of.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::case::Case;
use super::component::list;
use super::mu001_unreadable_input;
use crate::facts;
use crate::finding::{Finding, Input};
use crate::kube::named::Named;
use crate::kube::{Object, ObjectRef};
use crate::milvus::config::{Config, Layer, Owner, Setting};
use crate::milvus::effective::{self, ConfigMaps};
use crate::milvus::release::Component;
use crate::milvus::version::Version;
use crate::rewrite::chart::chart_of;
use crate::value::Value;
use crate::yaml;

/// A setting that a user made: in `user.yaml`, in the environment, or in `default.yaml` beside what the chart writes.
#[derive(Clone, Debug)]
pub struct UserKey {
    /// The key, normalised.
    pub key: String,
    /// The setting, where it stands first.
    pub setting: Setting,
    /// The workloads in whose environment it stands.
    workloads: Vec<String>,
    /// The same, to look for one among them.
    known: HashSet<String>,
    /// The object it stands in.
    object: Option<Object>,
}

/// The target as far as its images tell: of a line without a patch the first release.
pub fn target(case: &Case) -> Option<Version> {
    first_of(case.transition.target(), case.transition.target_line())
}

/// What is deployed, likewise.
pub fn source(case: &Case) -> Option<Version> {
    first_of(case.transition.source(), case.transition.source_line())
}

fn first_of(version: Option<&Version>, line: Option<(u64, u64)>) -> Option<Version> {
    version
        .cloned()
        .or_else(|| line.map(|(major, minor)| Version::new(major, minor, 0)))
}

/// Every setting a user made of which something is known, each once, however many workloads share it. Those of the stream as
/// it came in, since that is where the user can change them (an indexnode's environment leaves with it); and the environment
/// of what the values brought.
pub fn set_by_user<'c>(case: &'c Case) -> &'c [UserKey] {
    &known(case).keys
}

/// What is found once for all rules that ask for settings.
#[derive(Debug)]
pub struct UserKeys {
    keys: Vec<UserKey>,
    /// The configurations (by their indices) that are deployed, without those that say what one of them says.
    deployed: Vec<usize>,
}

fn known<'c>(case: &'c Case) -> &'c UserKeys {
    case.user_keys.get_or_init(|| UserKeys {
        keys: gather(case),
        deployed: case.before.map_or_else(Vec::new, |b| distinct(&b.effective.configs)),
    })
}

/// Configurations without most of those that say what one before them says.
fn distinct(configs: &[Config]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for (i, config) in configs.iter().enumerate() {
        let mut recent = found.iter().rev().take(RECENT);
        if !recent.any(|known| configs[*known] == *config) {
            found.push(i);
        }
    }
    found
}

/// How many of them are looked at one by one.
const MOST: usize = 10_000;

/// What refuses a configuration that has more of them.
pub fn too_many(case: &Case) -> Option<Finding> {
    let configs = &case.after.effective.configs;
    let many = configs.iter().filter(|config| config.at_most_told_of() > MOST);
    let each = many.map(|config| (config.told_of().count(), config));
    let (settings, config) = each.max_by_key(|(settings, _)| *settings)?;
    (settings > MOST).then(|| {
        let first = config.told_of().next();
        let owner = first.map(|(_, setting)| &setting.origin.object);
        let place = owner.map_or_else(String::new, |owner| format!("{} {}", owner.kind, owner.name));
        mu001_unreadable_input::too_many_settings(settings, &place)
    })
}

fn gather(case: &Case) -> Vec<UserKey> {
    let objects: &[Object] = &case.target.objects;
    let line = case.transition.target_line().unwrap_or_else(facts::streaming_line);
    let came = effective::configs(&ConfigMaps::of(objects), case.came, line, case.texts);
    let label = case.came.components.iter().find_map(|c| chart_of(&objects[c.object]));
    let chart = label.and_then(|l| semver::Version::parse(&l).ok());
    let mut found = Found::default();
    let named = Named::of(objects);
    // Most workloads read the same files and have no environment of their own.
    let mut sifted: Vec<Sifted> = Vec::new();
    for (component, config) in case.came.components.iter().zip(&came) {
        let workload = &objects[component.object];
        if let Some(known) = sifted.iter().rev().take(RECENT).find(|known| known.of == config) {
            known.of_env.iter().for_each(|i| found.keys[*i].is_of(component));
            continue;
        }
        let users = config.told_of().filter(|(key, s)| is_users(key, s, chart.as_ref()));
        let each = users.map(|(key, setting)| found.add(key, setting, component, || owner(&named, workload, setting)));
        let each: Vec<usize> = each.take(MOST).collect();
        let of_env = each.into_iter().filter(|i| found.keys[*i].is_env());
        sifted.push(Sifted {
            of_env: of_env.collect(),
            of: config,
        });
    }
    let of_env = found.keys.iter().filter(|k| k.is_env());
    let mut known: HashSet<String> = of_env.map(|k| k.key.clone()).collect();
    let configs = &case.after.effective.configs;
    let stood: HashSet<&ObjectRef> = case
        .came
        .components
        .iter()
        .map(|c| &objects[c.object].reference)
        .collect();
    for (component, config) in case.after.release.components.iter().zip(configs) {
        if stood.contains(&case.after.object(component).reference) {
            continue;
        }
        for (key, setting) in config.told_of_in_env() {
            if known.insert(key.to_owned()) {
                found.add(key, setting, component, || Some(case.after.object(component)));
            }
        }
    }
    found.keys
}

/// With how many configurations that were sifted last the next one is compared.
const RECENT: usize = 16;

/// A configuration that was sifted, and which settings of its environment were found.
struct Sifted<'c> {
    of: &'c Config,
    of_env: Vec<usize>,
}

fn is_users(key: &str, setting: &Setting, chart: Option<&semver::Version>) -> bool {
    match setting.origin.layer {
        Layer::ImageDefault => false,
        Layer::DefaultYaml => !facts::chart_writes(key, setting.value.as_deref().unwrap_or_default(), chart),
        Layer::UserYaml | Layer::Env { .. } => true,
    }
}

fn owner<'a>(named: &Named<'a>, workload: &Object, setting: &Setting) -> Option<&'a Object> {
    let owner = &setting.origin.object;
    let mut called = named.within(&owner.kind, &owner.name, &workload.reference.namespace);
    called.next()
}

/// The settings that were found.
#[derive(Default)]
struct Found {
    keys: Vec<UserKey>,
    known: HashMap<Same, usize>,
}

/// What makes two settings one: the key in its spelling; in the environment the value, elsewhere the place.
#[derive(PartialEq, Eq, Hash)]
enum Same {
    Env(String, Option<String>, Option<String>),
    File(String, Layer, Arc<Owner>, String),
}

impl Found {
    /// Notes a setting of a component; where it stands among those that were found.
    fn add<'o>(
        &mut self,
        key: &str,
        setting: &Setting,
        component: &Component,
        object: impl FnOnce() -> Option<&'o Object>,
    ) -> usize {
        let (spelling, origin) = (setting.key.clone(), setting.origin.clone());
        let same = match origin.layer {
            Layer::Env { .. } => Same::Env(spelling, setting.value.clone(), setting.hidden.clone()),
            layer => Same::File(spelling, layer, origin.object, origin.path),
        };
        let at = *self.known.entry(same).or_insert(self.keys.len());
        if at == self.keys.len() {
            self.keys.push(UserKey {
                key: key.to_owned(),
                setting: setting.clone(),
                workloads: vec![],
                known: HashSet::new(),
                object: object().cloned(),
            });
        }
        self.keys[at].is_of(component);
        at
    }
}

impl UserKey {
    /// Notes a component in whose environment it stands.
    fn is_of(&mut self, component: &Component) {
        if self.is_env() && self.known.insert(component.name.clone()) {
            self.workloads.push(component.name.clone());
        }
    }

    /// Whether it came by the environment.
    pub fn is_env(&self) -> bool {
        matches!(self.setting.origin.layer, Layer::Env { .. })
    }

    /// Whether it stands in the chart's `default.yaml`.
    pub fn is_default_yaml(&self) -> bool {
        self.setting.origin.layer == Layer::DefaultYaml
    }

    /// `indexNode.workerSlotUnit (32)`.
    pub fn shown(&self) -> String {
        match (&self.setting.value, &self.setting.hidden) {
            (Some(value), _) if value.is_empty() => self.setting.key.clone(),
            (Some(value), _) => format!("{} ({value})", self.setting.key),
            (None, Some(from)) => format!("{} (from {from})", self.setting.key),
            (None, None) => self.setting.key.clone(),
        }
    }

    /// `user.yaml of ConfigMap my-release-milvus`, `the environment of a and b`.
    pub fn place(&self) -> String {
        if self.is_env() {
            return format!("the environment of {}", list(&self.workloads));
        }
        let file = self.setting.origin.path.split('#').next().unwrap_or_default();
        let file = file.trim_start_matches("/data/").replace("~1", "/").replace("~0", "~");
        format!(
            "{file} of {} {}",
            self.setting.origin.object.kind, self.setting.origin.object.name
        )
    }

    /// Points a finding at it, with the value that is deployed and the one that would be.
    pub fn point(&self, case: &Case, finding: Finding) -> Finding {
        let path = match self.is_env() {
            true => format!("{}/value", self.setting.origin.path),
            false => self.setting.origin.path.clone(),
        };
        let before = case.before.and_then(|b| {
            let mut configs = known(case).deployed.iter().map(|i| &b.effective.configs[*i]);
            configs.find_map(|c| c.value(&self.key).map(str::to_owned))
        });
        let finding = finding.field(path.clone(), before, self.setting.value.clone());
        match &self.object {
            // What the rewrite brought gets no line, wherever a finding points at.
            Some(object) => {
                let pointer = format!("{}{path}", object.pointer);
                finding
                    .on(&object.reference)
                    .at(Input::Target, object.document, pointer)
            }
            None => finding,
        }
    }

    /// Another key with a value, spelled as this one came: YAML, or an entry of the environment. Ready to paste.
    pub fn paste(&self, key: &str, value: Option<&str>) -> String {
        if !self.is_env() {
            return as_yaml(&[(key, value.unwrap_or_default(), "")]);
        }
        let prefix = "MILVUS_CONF_";
        let prefixed = self.setting.key.to_uppercase().starts_with(prefix);
        let name = key.replace('.', "_").to_uppercase();
        let name = if prefixed { format!("{prefix}{name}") } else { name };
        match (value, &self.setting.hidden) {
            (Some(value), _) => format!("- name: {name}\n  value: {}", Value::from(value)),
            (None, from) => format!(
                "- name: {name}\n  valueFrom: …   # {}, as before",
                from.as_deref().unwrap_or("the same")
            ),
        }
    }
}

/// A setting to paste: key, value, and a comment that may be empty.
pub type Paste<'a> = (&'a str, &'a str, &'a str);

/// Settings as nested YAML, ready to paste into `user.yaml`.
pub fn as_yaml(settings: &[Paste]) -> String {
    let mut out = String::new();
    nested(settings, 0, &mut out);
    out.trim_end().to_owned()
}

/// Writes the settings of one level: those that share their first word together, in the order in which they come.
fn nested(settings: &[Paste], depth: usize, out: &mut String) {
    let mut done: Vec<&str> = Vec::new();
    for (key, value, comment) in settings {
        let word = key.split('.').next().unwrap_or_default();
        if done.contains(&word) {
            continue;
        }
        out.push_str(&"  ".repeat(depth));
        if word == *key {
            let comment = if comment.is_empty() {
                String::new()
            } else {
                format!("   # {comment}")
            };
            out.push_str(&format!("{word}: {}{comment}\n", scalar(value)));
        } else {
            out.push_str(&format!("{word}:\n"));
            let prefix = format!("{word}.");
            let below: Vec<Paste> = settings
                .iter()
                .filter_map(|(key, value, comment)| Some((key.strip_prefix(&prefix)?, *value, *comment)))
                .collect();
            nested(&below, depth + 1, out);
        }
        done.push(word);
    }
}

/// A value as YAML: a number or boolean as it is, a text quoted where it would be read as another value.
fn scalar(text: &str) -> String {
    let emitted = |value: &Value| yaml::emit(value).trim_end().to_owned();
    match yaml::read(text) {
        Ok(Some(read)) if (read.is_number() || read.is_boolean()) && emitted(&read) == text => text.to_owned(),
        _ => emitted(&Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testkit::Scenario;

    #[test]
    fn settings_are_nested() {
        let settings = [
            ("dataNode.workerSlotUnit", "32", "was 16"),
            ("proxy.c", "true", ""),
            ("dataNode.a.b", "x: y", ""),
        ];
        let text = as_yaml(&settings);
        assert_eq!(
            text,
            "dataNode:\n  workerSlotUnit: 32   # was 16\n  a:\n    b: \"x: y\"\nproxy:\n  c: true"
        );
        assert_eq!(as_yaml(&[("a.b", "", "")]), "a:\n  b: \"\"");
    }

    #[test]
    fn a_text_is_quoted_where_it_would_be_read_as_another() {
        for (text, written) in [
            ("", "\"\""),
            ("32", "32"),
            ("1234567890", "1234567890"),
            ("1.5", "1.5"),
            ("-1", "-1"),
            ("010", "\"010\""),
            ("yes", "\"yes\""),
            ("'a'", "\"'a'\""),
            ("true", "true"),
            ("x: y", "\"x: y\""),
            ("null", "\"null\""),
            ("[a]", "\"[a]\""),
            ("{a: b}", "\"{a: b}\""),
            ("by name", "by name"),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    fn dead(scenario: &Scenario) -> Vec<Finding> {
        scenario.of_rule("MU401")
    }

    fn messages(scenario: &Scenario) -> Vec<String> {
        dead(scenario).into_iter().map(|f| f.message).collect()
    }

    fn base() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn entry(name: &str, value: &str) -> String {
        format!("            - name: {name}\n              value: \"{value}\"\n")
    }

    const SLOTS: &str = "INDEXNODE_WORKERSLOTUNIT";
    const FACTOR: &str = "INDEXNODE_STANDALONESLOTFACTOR";
    const NOTHING: &str = "  user.yaml: |-\n    # nothing\n";

    #[test]
    fn settings_of_the_environment_are_one_only_where_they_say_the_same() {
        let two = |a: &str, b: &str| dead(&base().env_target("proxy", a).env_target("datanode", b)).len();
        let from = |key: &str| {
            format!(
                "            - name: {SLOTS}\n              valueFrom: {{configMapKeyRef: {{name: a, key: {key}}}}}\n"
            )
        };
        for (a, b, want) in [
            (entry(SLOTS, "32"), entry(SLOTS, "32"), 1),
            (entry(SLOTS, "32"), entry(SLOTS, "64"), 2),
            (entry(SLOTS, "32"), entry(FACTOR, "32"), 2),
            (entry(SLOTS, "32"), entry(&format!("MILVUS_CONF_{SLOTS}"), "32"), 2),
            (from("b"), from("b"), 1),
            (from("b"), from("c"), 2),
        ] {
            assert_eq!(two(&a, &b), want, "{a}{b}");
        }
        let twice = messages(&base().env_target("proxy", &entry(SLOTS, "32").repeat(2)));
        assert_eq!(twice.len(), 1);
        assert!(
            twice[0].contains("in the environment of rel-milvus-proxy is ignored"),
            "{twice:?}"
        );
    }

    #[test]
    fn each_file_is_told_with_the_place_where_its_replacement_goes() {
        let stock = "    dataCoord:\n      enableActiveStandby: false\n";
        let scenario = base()
            .edit_target(stock, &format!("{stock}    indexNode:\n      workerSlotUnit: 16\n"))
            .edit_target(NOTHING, "  user.yaml: |-\n    indexNode:\n      workerSlotUnit: 32\n");
        let all = dead(&scenario);
        let of = |path: &str| all.iter().find(|f| f.field.as_ref().unwrap().path == path).expect(path);
        assert_eq!(all.len(), 2, "{all:#?}");
        let chart = of("/data/default.yaml#/indexNode/workerSlotUnit");
        assert!(chart.help.contains("put into user.yaml"), "{}", chart.help);
        let own = of("/data/user.yaml#/indexNode/workerSlotUnit");
        assert!(own.help.contains("put in its place"), "{}", own.help);
    }

    #[test]
    fn a_setting_stands_in_the_config_map_that_holds_it() {
        let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n  namespace: ns\ndata: {}\n";
        let user = "  user.yaml: |-\n    indexNode:\n      workerSlotUnit: \"\"\n";
        let stream = other.to_owned() + &crate::rules::testkit::cluster("v2.6.16", false).replace(NOTHING, user);
        let all = dead(&base().replace_target(&stream));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].object.as_ref().unwrap().name, "rel-milvus");
        let line = stream.lines().position(|l| l.contains("workerSlotUnit")).unwrap() + 1;
        assert_eq!(all[0].location.as_ref().map(|l| l.line), Some(line));
        let message = &all[0].message;
        assert!(
            message.starts_with("indexNode.workerSlotUnit in user.yaml of ConfigMap rel-milvus"),
            "{message}"
        );
    }

    #[test]
    fn the_environment_that_the_values_bring_is_looked_into() {
        let values = "streamingNode: {extraEnv: [{name: INDEXNODE_STANDALONESLOTFACTOR, value: \"7\"}]}\n";
        let brought = base().values(values);
        let all = dead(&brought);
        assert_eq!(all.len(), 1, "{all:#?}");
        assert_eq!(all[0].object.as_ref().unwrap().name, "rel-milvus-streamingnode");
        assert!(all[0].location.is_none());
        assert_eq!(dead(&brought.clone().env_target("proxy", &entry(SLOTS, "32"))).len(), 2);
        let known = messages(&brought.env_target("proxy", &entry(FACTOR, "8")));
        assert!(
            known.len() == 1 && known[0].contains("(8) in the environment of rel-milvus-proxy"),
            "{known:?}"
        );
    }

    #[test]
    fn what_came_in_has_a_line_and_what_is_held_back_or_brought_has_none() {
        let mixture = |scenario: Scenario| {
            let all = scenario.of_rule("MU403");
            all.into_iter()
                .find(|f| f.message.contains("`mixture`"))
                .expect("a finding")
        };
        assert_eq!(mixture(base()).location.map(|l| l.stream), Some(Input::Target));
        assert_eq!(mixture(Scenario::consolidation("v2.5.16", "v2.6.16")).location, None);
        // The chart of 2.6 renders no indexnode: the stage keeps the one that is deployed.
        let held = base()
            .replace_target(&crate::rules::testkit::cluster26("v2.6.16"))
            .env_current("indexnode", &entry(SLOTS, "32"))
            .stage(crate::stage::Stage::At(1));
        let all = dead(&held);
        assert_eq!(all.len(), 1, "{all:#?}");
        assert_eq!(all[0].object.as_ref().unwrap().name, "rel-milvus-indexnode");
        assert_eq!(all[0].location, None);
    }

    #[test]
    fn the_value_that_is_deployed_may_be_that_of_any_component() {
        let scenario = base()
            .env_target("proxy", &entry(SLOTS, "32"))
            .env_current("datanode", &entry(SLOTS, "16"));
        let all = dead(&scenario);
        let field = all[0].field.as_ref().unwrap();
        assert_eq!(
            (field.current.as_str(), field.proposed.as_str()),
            (Some("16"), Some("32"))
        );
    }

    #[test]
    fn an_environment_is_pointed_at_and_no_config_map() {
        let all = dead(&base().env_target("proxy", &entry(SLOTS, "32")));
        let object = all[0].object.as_ref().unwrap();
        assert_eq!((&object.kind[..], &object.name[..]), ("Deployment", "rel-milvus-proxy"));
        assert_eq!(all[0].location.as_ref().map(|l| l.stream), Some(Input::Target));
    }

    #[test]
    fn of_what_came_in_each_is_known_by_its_name() {
        let standby = "rel-milvus-mixcoord-b";
        let several = |text: &str| text.replace("rel-milvus-mixcoord", standby);
        let second = crate::rules::testkit::deployment("mixcoord", "\"mixcoord\"", "v2.6.16");
        let second = several(&second).replace("  replicas: 1\n", "  replicas: 3\n");
        let scenario = base().replace_target(&(crate::rules::testkit::cluster26("v2.6.16") + &second));
        let told = scenario.of_rule("MU403").into_iter();
        let told = told
            .filter(|f| f.message.contains("of the 3 replicas"))
            .collect::<Vec<_>>();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].object.as_ref().unwrap().name, standby);
        assert!(told[0].location.is_some());
        let brought = Scenario::consolidation("v2.5.16", "v2.6.16")
            .values("mixCoordinator: {replicas: 3, activeStandby: {enabled: true}}\n");
        let told = brought.of_rule("MU403").into_iter();
        let told = told
            .filter(|f| f.message.contains("of the 3 replicas"))
            .collect::<Vec<_>>();
        assert!(told.len() == 1 && told[0].location.is_none(), "{told:#?}");
    }

    #[test]
    fn settings_are_told_up_to_their_most() {
        let refused = |n: usize| {
            let lines: String = (0..n).map(|i| format!("      key{i}: 1\n")).collect();
            let said = format!("  user.yaml: |-\n    natsmq:\n{lines}");
            let own = base().replace_target(&crate::rules::testkit::cluster26("v2.6.16").replace(NOTHING, &said));
            let told = own.of_rule("MU001").into_iter().next().map(|f| f.message)?;
            Some(
                told.split(' ')
                    .next()
                    .and_then(|n| n.parse::<usize>().ok())
                    .expect("a number"),
            )
        };
        // The chart itself writes some of which something is known.
        let of_chart = refused(MOST + 100).expect("a refusal") - MOST - 100;
        assert_eq!(refused(MOST - of_chart), None);
        assert_eq!(refused(MOST - of_chart + 1), Some(MOST + 1));
    }
}
