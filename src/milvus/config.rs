//! The effective configuration of one workload, as far as its manifests show it.
//!
//! Milvus layers (upstream `pkg/util/paramtable/base_table.go`, `pkg/config/source.go`, 2.5.27 and 2.6.20): the
//! image's `milvus.yaml`, then `default.yaml`, then `user.yaml`, then the environment; later wins. Above these stand
//! values in etcd that no manifest shows. Keys are compared without case and without `/`, `_` and `.`, so `MQ_TYPE`,
//! `MQTYPE` and `milvus.mq.type` in the environment all mean `mq.type`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::value::Value;

/// Switches the streaming service of 2.5 on; 2.6 sets it itself (cmd/main.go of 2.6.x).
pub const STREAMING_SWITCH: &str = "MILVUS_STREAMING_SERVICE_ENABLED";

/// Where a setting comes from, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The `milvus.yaml` inside the image; never seen, only its published defaults are known.
    ImageDefault,
    /// The chart's `default.yaml`.
    DefaultYaml,
    /// The user's `user.yaml`.
    UserYaml,
    /// The environment of a container.
    Env {
        /// The container's name. Shared, as the object is: a container has many variables, and an object many settings.
        container: Arc<str>,
    },
}

/// The object a setting stands in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Owner {
    /// `ConfigMap`, `Deployment`, …
    pub kind: String,
    /// Its `metadata.name`.
    pub name: String,
}

/// Where exactly a setting stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// The object.
    pub object: Arc<Owner>,
    /// JSON pointer inside the object; a `#` leads on into YAML text: `/data/user.yaml#/mq/type`,
    /// `/spec/template/spec/containers/0/env/2`.
    pub path: String,
}

/// One effective setting.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    /// The key as it was spelled, sections joined by dots: `mq.type`, or `MQ_TYPE` in the environment.
    pub key: String,
    /// The value as Milvus gets it: null is the empty string, a list is joined by commas. `None` where it comes from
    /// a `valueFrom` and cannot be seen.
    pub value: Option<String>,
    /// What a `valueFrom` names, where the value comes from one (`secretKeyRef my-secret/key`).
    pub hidden: Option<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// Why the effective configuration is partly invisible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnknownWhy {
    /// The configuration is mounted from a ConfigMap (or Secret) that is not in the stream.
    ConfigNotInStream,
    /// Environment taken from a ConfigMap or Secret as a whole.
    EnvFrom,
    /// The value of one environment variable comes from elsewhere.
    ValueFrom,
    /// The configuration's text is no YAML mapping.
    Unreadable,
    /// Something else is mounted among the configuration files.
    ExtraVolume,
    /// `MILVUSCONF` makes Milvus read its files from another directory than the one they are mounted at.
    ConfigElsewhere,
    /// Two spellings of one key in the environment, with different values.
    EnvClash,
    /// The configuration is visible and names nothing that could be resolved.
    Unresolvable,
}

/// One reason why the effective configuration is partly invisible.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// The reason.
    pub why: UnknownWhy,
    /// The reason in words, with the names and values in it.
    pub text: String,
    /// The one key it hides, normalised; `None` when it may hide any.
    pub key: Option<String>,
    /// Where it stands; its layer tells which settings it could override.
    pub origin: Origin,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One configuration file, already parsed.
#[derive(Debug, Clone)]
pub struct File<'a> {
    /// The parsed text. A document that is empty is `Null`.
    pub value: &'a Value,
    /// The ConfigMap it stands in.
    pub owner: Arc<Owner>,
    /// Its base path: `/data/user.yaml#`.
    pub path: &'a str,
}

/// The effective configuration of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `default.yaml` and `user.yaml`, shared: the components of a release mount the same files.
    files: [Arc<FileLayer>; 2],
    /// The environment's, which lie over those of the files.
    env: Settings,
    /// Why it is partly invisible; empty when all of it is known.
    pub unknown: Vec<Unknown>,
}

/// A key as Milvus compares it: lower-case, without `/`, `_` and `.` (upstream `pkg/config/config.go`).
#[must_use]
pub fn normalise(key: &str) -> String {
    let kept = |c: &u8| !matches!(c, b'/' | b'_' | b'.');
    if key.is_ascii() {
        let mut out = String::with_capacity(key.len());
        out.extend(key.bytes().filter(kept).map(|c| c.to_ascii_lowercase() as char));
        return out;
    }
    key.chars()
        .filter(|c| !matches!(c, '/' | '_' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// An environment variable's name as a configuration key: as [`normalise`], after a leading `milvus.` is dropped and,
/// from 2.6 on, a leading `MILVUS_CONF_` (upstream change 40623).
#[must_use]
pub fn normalise_env(name: &str, since26: bool) -> String {
    let lower = name.to_lowercase();
    let key = lower.strip_prefix("milvus.").unwrap_or(&lower);
    let key = match key.strip_prefix("milvus_conf_") {
        Some(rest) if since26 => rest,
        _ => key,
    };
    normalise(key)
}

impl Config {
    /// Lays the layers over each other.
    ///
    /// `since26`: whether the image is 2.6 or later, which accepts one more prefix in the environment. Within one
    /// file, of two spellings of one key the later wins. So it does in the environment, where the order is the
    /// container's; but if their values differ, that the key is uncertain is noted in [`Config::unknown`]. So are
    /// each `envFrom`, and each `valueFrom` (with the key it hides). The caller adds what else it cannot see.
    #[must_use]
    pub fn build(
        default_yaml: Option<&File<'_>>,
        user_yaml: Option<&File<'_>>,
        env: &Environment,
        since26: bool,
    ) -> Config {
        Config::of_files(default_yaml, user_yaml).with_env(env, since26)
    }

    /// [`Config::build`] without the environment.
    #[must_use]
    pub fn of_files(default_yaml: Option<&File<'_>>, user_yaml: Option<&File<'_>>) -> Config {
        let layers = [(default_yaml, Layer::DefaultYaml), (user_yaml, Layer::UserYaml)];
        Config::of_layers(layers.map(|(file, layer)| match file {
            Some(file) => Arc::new(FileLayer::of(file, &layer)),
            None => Arc::default(),
        }))
    }

    /// The same of what the files set.
    pub(super) fn of_layers(files: [Arc<FileLayer>; 2]) -> Config {
        Config {
            unknown: files.iter().filter_map(|file| file.unknown.clone()).collect(),
            files,
            env: Settings::default(),
        }
    }

    /// This configuration with the environment of a container laid over it.
    #[must_use]
    pub fn with_env(mut self, env: &Environment, since26: bool) -> Config {
        self.add_env(env, since26);
        self
    }

    /// The effective setting of a key in any spelling, as far as it can be seen; `None` when no layer sets it. Does
    /// not tell whether something invisible overrides it: [`Config::certain`] does.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.setting(&normalise(key)).map(Arc::as_ref)
    }

    fn setting(&self, key: &str) -> Option<&Arc<Setting>> {
        let [default_yaml, user_yaml] = &self.files;
        let mut layers = [&self.env.of, &user_yaml.of, &default_yaml.of].into_iter();
        layers.find_map(|layer| layer.get(key))
    }

    /// As [`Config::get`], but only when nothing invisible could say otherwise.
    ///
    /// # Errors
    /// The first reason why the key cannot be known: a hidden value, or a hidden source of a higher layer.
    pub fn certain(&self, key: &str) -> Result<Option<&Setting>, &Unknown> {
        let key = normalise(key);
        let setting = self.setting(&key).map(Arc::as_ref);
        let hides = |unknown: &&Unknown| match (&unknown.key, setting) {
            (Some(hidden), _) => *hidden == key,
            (None, None) => true,
            // An explicit variable comes after `envFrom` and wins.
            (None, Some(setting)) => setting.origin.layer.rank() < unknown.hidden_rank(),
        };
        match self.unknown.iter().find(hides) {
            Some(unknown) => Err(unknown),
            None => Ok(setting),
        }
    }

    /// The value of a key, as far as it can be seen.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.get(key)?.value.as_deref()
    }

    /// The values of a key that holds a list, either written as one or separated by commas (`etcd.endpoints`,
    /// `kafka.brokerList`); empty parts are left out.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<String> {
        split_list(self.value(key).unwrap_or_default())
    }

    /// This configuration as if nothing invisible could override it. The value of a `valueFrom` becomes what that
    /// names, in angle brackets: two such configurations compare as far as they can be seen.
    #[must_use]
    pub fn as_seen(&self) -> Config {
        let mut seen = self.clone();
        seen.unknown.clear();
        // Only the environment names a source elsewhere.
        for setting in seen.env.of.values_mut() {
            if let Some(source) = &setting.hidden {
                let value = Some(format!("<{source}>"));
                let setting = Arc::make_mut(setting);
                (setting.value, setting.hidden) = (value, None);
            }
        }
        seen
    }

    /// The settings of which the embedded tables tell anything, with their normalised keys: those in force in the order of
    /// these, and behind them those that another overrides.
    pub fn told_of(&self) -> impl Iterator<Item = (&str, &Setting)> {
        let [default_yaml, user_yaml] = &self.files;
        let env = self.env.of.iter().filter(|(key, _)| is_told_of(key));
        let laid: BTreeMap<_, _> = default_yaml.told_of().chain(user_yaml.told_of()).chain(env).collect();
        let of_files = default_yaml
            .overridden(None)
            .chain(user_yaml.overridden(Some(default_yaml)));
        let overridden = of_files.chain(self.env.overridden().filter(|(key, _)| is_told_of(key)));
        let all = laid.into_iter().chain(overridden);
        all.map(|(key, setting)| (&**key, &**setting))
    }

    /// How many settings [`Config::told_of`] has at most.
    #[must_use]
    pub fn at_most_told_of(&self) -> usize {
        let files: usize = self.files.iter().map(|file| file.told()).sum();
        files + self.env.of.len() + self.env.overridden.len()
    }

    /// A number that is the same for equal configurations of the same files; files that were read apart count as different
    /// ones.
    pub(super) fn likeness(&self) -> u64 {
        let files = self.files.each_ref().map(|file| Arc::as_ptr(file).addr());
        foldhash::fast::FixedState::default().hash_one((files, &self.env.of, &self.unknown))
    }

    /// As [`Config::told_of`], those of the environment alone.
    pub fn told_of_in_env(&self) -> impl Iterator<Item = (&str, &Setting)> {
        let of_env = |(_, setting): &(_, &Arc<Setting>)| matches!(setting.origin.layer, Layer::Env { .. });
        let all = self.env.of.iter().chain(self.env.overridden().filter(of_env));
        all.filter(|(key, _)| is_told_of(key))
            .map(|(key, setting)| (&**key, &**setting))
    }

    fn add_env(&mut self, env: &Environment, since26: bool) {
        for (source, path) in &env.from {
            self.unknown.push(Unknown {
                why: UnknownWhy::EnvFrom,
                text: format!(
                    "the environment of {} {} takes in {source}",
                    env.workload.kind, env.workload.name
                ),
                key: None,
                origin: env.origin(path),
            });
        }
        self.look_elsewhere(env);
        let before = self.unknown.len();
        // Where among the unknown those stand whose value comes from elsewhere, and that nothing replaced.
        let mut hidden_at: HashMap<String, Vec<usize>> = HashMap::new();
        for var in &env.vars {
            self.add_var(env, var, since26, &mut hidden_at);
        }
        let hidden: HashSet<usize> = hidden_at.into_values().flatten().collect();
        let mut at = 0;
        self.unknown.retain(|unknown| {
            at += 1;
            at <= before || unknown.why != UnknownWhy::ValueFrom || hidden.contains(&(at - 1))
        });
    }

    /// The directory that a variable may name in the place of the image's.
    fn look_elsewhere(&mut self, env: &Environment) {
        let moved = env.vars.iter().rev().find(|var| var.name == "MILVUSCONF");
        let unmoved = ["", "configs", "./configs", "/milvus/configs"];
        if let Some(var) = moved
            && !matches!(&var.value, EnvValue::Literal(dir) if unmoved.contains(&dir.trim_end_matches('/')))
        {
            let mut origin = env.origin(&var.path);
            origin.layer = Layer::UserYaml;
            self.unknown.push(Unknown {
                why: UnknownWhy::ConfigElsewhere,
                text: format!(
                    "MILVUSCONF of {} {} makes it read its configuration from another directory",
                    env.workload.kind, env.workload.name
                ),
                key: None,
                origin,
            });
        }
    }

    /// Lays a variable over what is known; notes in `hidden_at` where among the unknown it stands, by its key.
    fn add_var(&mut self, env: &Environment, var: &EnvVar, since26: bool, hidden_at: &mut HashMap<String, Vec<usize>>) {
        let key = normalise_env(&var.name, since26);
        let origin = env.origin(&var.path);
        let (value, hidden) = match &var.value {
            EnvValue::Literal(value) => (Some(value.clone()), None),
            EnvValue::From(source) => (None, Some(source.clone())),
        };
        let known = self.setting(&key).cloned();
        // A later entry of the same name replaces the earlier one whole.
        if known.as_ref().is_some_and(|s| s.key == var.name) {
            hidden_at.remove(&key);
        }
        if let EnvValue::From(source) = &var.value {
            hidden_at.entry(key.clone()).or_default().push(self.unknown.len());
            self.unknown.push(Unknown {
                why: UnknownWhy::ValueFrom,
                text: format!(
                    "{} of {} {} comes from {source}",
                    var.name, env.workload.kind, env.workload.name
                ),
                key: Some(key.clone()),
                origin: origin.clone(),
            });
        }
        let clash = known.as_ref().filter(|before| {
            matches!(before.origin.layer, Layer::Env { .. }) && before.key != var.name && before.value != value
        });
        if let Some(before) = clash {
            self.unknown.push(Unknown {
                why: UnknownWhy::EnvClash,
                text: format!(
                    "{} and {} of {} {} are the same setting with different values",
                    before.key, var.name, env.workload.kind, env.workload.name
                ),
                key: Some(key.clone()),
                origin: origin.clone(),
            });
        }
        let setting = Setting {
            key: var.name.clone(),
            value,
            hidden,
            origin,
        };
        if !self.env.of.contains_key(key.as_str())
            && let Some(below) = known
        {
            self.env.overridden.push((key.as_str().into(), below));
        }
        self.env.set(key, setting);
    }
}

impl Layer {
    /// The order of the layers, whatever the container.
    fn rank(&self) -> u8 {
        match self {
            Layer::ImageDefault => 0,
            Layer::DefaultYaml => 1,
            Layer::UserYaml => 2,
            Layer::Env { .. } => 3,
        }
    }
}

impl Unknown {
    /// Settings of a layer below this rank may be overridden by what is hidden here.
    fn hidden_rank(&self) -> u8 {
        match self.why {
            // A file whose own text is hidden hides its own layer too.
            UnknownWhy::ConfigElsewhere
            | UnknownWhy::ConfigNotInStream
            | UnknownWhy::Unreadable
            | UnknownWhy::ExtraVolume => self.origin.layer.rank() + 1,
            _ => self.origin.layer.rank(),
        }
    }
}

/// The parts of a comma-separated value, trimmed; empty ones are left out.
#[must_use]
pub fn split_list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

mod env;
mod settings;

pub use env::{EnvValue, EnvVar, Environment};
pub(super) use settings::FileLayer;
use settings::{Settings, is_told_of, scalar};

#[cfg(test)]
pub(super) mod tests;
