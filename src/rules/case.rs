//! What a rule sees: one release on its way, both sides of it, and what the rewrite made of it.

use std::cell::OnceCell;
use std::sync::Arc;

use super::keys::UserKeys;
use super::places::Places;
use crate::finding::{Finding, Input};
use crate::host;
use crate::kube::Object;
use crate::kube::named::Named;
use crate::milvus::config::{Config, Unknown};
use crate::milvus::effective::{self, ConfigMaps, Texts};
use crate::milvus::queue::Mq;
use crate::milvus::release::{Component, Mode, Release};
use crate::milvus::resolved::Resolved;
use crate::milvus::role::Role;
use crate::milvus::version::Version;
use crate::options::Options;
use crate::report::StageReport;
use crate::rewrite::Rewrite;
use crate::rewrite::values::Values;
use crate::stream::Stream;
use crate::transition::Transition;
use crate::value::Value;

/// One side of the transition: a release among the objects of its stream.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Which input its objects came in with.
    pub input: Input,
    /// All objects of the stream.
    pub objects: &'a [Object],
    /// The release.
    pub release: &'a Release,
    /// What its configuration says.
    pub effective: &'a Effective,
    /// The objects by name.
    pub named: &'a Named<'a>,
}

impl<'a> Side<'a> {
    /// The object of a component.
    pub fn object(&self, component: &Component) -> &'a Object {
        &self.objects[component.object]
    }

    /// Points a finding at a component's workload, or at a field in it.
    pub fn point(&self, finding: Finding, component: &Component, pointer: &str) -> Finding {
        let object = self.object(component);
        finding
            .on(&object.reference)
            .at(self.input, object.document, format!("{}{pointer}", object.pointer))
    }

    /// The object with a kind and name, in the release's namespace.
    pub fn find(&self, kind: &str, name: &str) -> Option<&'a Object> {
        self.named.within(kind, name, &self.release.namespace).next()
    }

    /// The components that run Milvus and are not scaled to zero.
    pub fn running(&self) -> impl Iterator<Item = &'a Component> {
        self.release.components.iter().filter(|c| !c.is_scaled_to_zero())
    }
}

/// What the configuration of a release says, read once.
#[derive(Debug)]
pub struct Effective {
    /// The configuration of each component, in their order.
    pub configs: Vec<Config>,
    /// Where the configuration of each component leads.
    resolved: Vec<Arc<Resolved>>,
    /// The component (index) whose configuration speaks for the release.
    pub speaker: usize,
    /// The release line by which `default` was resolved.
    pub line: (u64, u64),
}

/// The roles in the order in which one speaks for the release: those that open the log first.
const SPEAKERS: [Role; 9] = [
    Role::Standalone,
    Role::MixCoord,
    Role::RootCoord,
    Role::DataCoord,
    Role::StreamingNode,
    Role::DataNode,
    Role::QueryNode,
    Role::Proxy,
    Role::QueryCoord,
];

impl Effective {
    /// Reads the configuration of every component. `line` is the release line that resolves defaults; `texts` remembers
    /// what was read already, on whichever side.
    pub fn new(among: &ConfigMaps, release: &Release, line: (u64, u64), texts: &Texts) -> Effective {
        let configs = effective::configs(among, release, line, texts);
        let speaker = SPEAKERS
            .iter()
            .find_map(|role| release.components.iter().position(|c| c.role == *role))
            .unwrap_or(0);
        Effective {
            resolved: Resolved::all(&configs, line, release.mode() == Mode::Standalone),
            speaker,
            line,
            configs,
        }
    }

    /// The configuration that speaks for the release.
    pub fn config(&self) -> &Config {
        &self.configs[self.speaker]
    }

    /// Where the configuration leads that speaks for the release.
    pub fn spoken(&self) -> &Arc<Resolved> {
        &self.resolved[self.speaker]
    }

    /// Where the configuration of a component (index) leads. Those that say the same share it.
    pub fn of(&self, component: usize) -> &Arc<Resolved> {
        &self.resolved[component]
    }
}

/// Everything a rule may look at.
#[derive(Debug)]
pub struct Case<'a> {
    /// The stream as it came in.
    pub target: &'a Stream,
    /// The release in the stream as it came in.
    pub came: &'a Release,
    /// The release as it would be applied.
    pub after: Side<'a>,
    /// The release as it is deployed; `None` where nobody said, and where nothing is.
    pub before: Option<Side<'a>>,
    /// From what to what.
    pub transition: &'a Transition,
    /// What the rewrite did and could not do.
    pub rewrite: &'a Rewrite,
    /// The chart's values, where given.
    pub values: Option<&'a Values>,
    /// What the user stated.
    pub options: &'a Options,
    /// How far the stages go; `None` where the kind has none.
    pub stage: Option<StageReport>,
    /// Whether it is the one of the stream's releases that speaks for what is no release's own.
    pub leads: bool,
    /// Configuration texts already read.
    pub texts: &'a Texts,
    /// What [`super::keys::set_by_user`] found.
    pub user_keys: OnceCell<UserKeys>,
    /// What [`super::places`] found.
    pub pairs: OnceCell<Places>,
    /// The command line of the Helm that called us, where it could be read. Holds secrets: nothing of it is shown.
    pub host_command: Option<&'a [String]>,
}

impl Case<'_> {
    /// The queue's type that would be applied; what was assumed where it cannot be read.
    pub fn target_mq(&self) -> Option<Mq> {
        assumed(
            &self.after.effective.spoken().mq,
            self.options.assume.target_mq.as_deref(),
        )
    }

    /// The queue's type that is in use; what was assumed where it cannot be read.
    pub fn current_mq(&self) -> Option<Mq> {
        let before = self.before?;
        assumed(&before.effective.spoken().mq, self.options.assume.current_mq.as_deref())
    }

    /// The version that was stated for what a component's image does not say: the current one where a stage keeps the image
    /// that is deployed, the target's elsewhere.
    pub fn assumed(&self, component: &Component) -> Option<&Version> {
        let assume = &self.options.assume;
        if assume.current_version.is_none() && assume.target_version.is_none() {
            return None;
        }
        let named = |c: &&Component| c.role == component.role && c.name == component.name;
        let is_kept = |side: Side| {
            let came = self.came.components.iter().find(named);
            let deployed = side.release.components.iter().find(named);
            deployed.is_some_and(|c| c.image == component.image) && came.is_none_or(|c| c.image != component.image)
        };
        match self.before {
            Some(before) if is_kept(before) => assume.current_version.as_ref(),
            _ => assume.target_version.as_ref(),
        }
    }

    /// Whether more stages follow: what runs then is a mixture on purpose.
    pub fn is_partial(&self) -> bool {
        self.stage.is_some_and(|s| s.applied < s.last)
    }

    /// The chart's template that a workload of the release was rendered from, where anything tells.
    pub fn template(&self) -> Option<String> {
        let document = |c: &Component| self.target.objects[c.object].document;
        let mut components = self.came.components.iter();
        components.find_map(|c| host::template_of(self.target, document(c)))
    }

    /// The keys under which the chart's values stand in an umbrella chart: as its template tells, else where the values
    /// that were given were found to fit.
    pub fn values_path(&self) -> Vec<String> {
        match self.template() {
            Some(template) => host::values_path(&template),
            None => self.values.map(|values| values.path().to_vec()).unwrap_or_default(),
        }
    }

    /// Values of the Milvus chart as Helm is given them: below the subchart's key where the chart is part of an umbrella.
    pub fn placed_values(&self, values: Value) -> Value {
        let keys = self.values_path().into_iter().rev();
        keys.fold(values, |inner, key| Value::Object([(key, inner)].into_iter().collect()))
    }

    /// The same as a file for Helm.
    pub fn values_text(&self, values: Value) -> String {
        crate::yaml::emit(&self.placed_values(values)).trim_end().to_owned()
    }

    /// Milvus configuration to add to `user.yaml` in the values, as a file for Helm.
    pub fn user_yaml(&self, text: &str) -> String {
        const HERE: &str = "HERE";
        let around = self.values_text(crate::value::json!({"extraConfigFiles": {"user.yaml": HERE}}));
        let depth = around.lines().last().map_or(0, |l| l.len() - l.trim_start().len()) + 2;
        let lines: String = text.lines().map(|l| format!("\n{}{l}", " ".repeat(depth))).collect();
        around.replace(HERE, &format!("|{lines}"))
    }

    /// Points a finding at a field of an object that came in or would be applied.
    pub fn point(&self, finding: Finding, object: &Object, pointer: &str) -> Finding {
        finding
            .on(&object.reference)
            .at(Input::Target, object.document, format!("{}{pointer}", object.pointer))
    }

    /// Both sides' components of one role that run pods.
    pub fn standalone(&self) -> bool {
        self.after.release.mode() == Mode::Standalone
    }
}

fn assumed(read: &Result<Mq, Box<Unknown>>, assumption: Option<&str>) -> Option<Mq> {
    match read {
        Ok(mq) => Some(mq.clone()),
        Err(_) => assumption.map(Mq::parse),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, cluster, deployment};
    use crate::stage::Stage;

    #[test]
    fn what_a_stage_keeps_is_of_the_version_that_was_stated_for_what_is_deployed() {
        // Two indexnodes from images that say no version, each another one: both stay until the last stage.
        let both = |image: &str, second: &str| {
            let group = deployment("indexnode", "\"indexnode\"", second)
                .replace("name: rel-milvus-indexnode\n", "name: rel-milvus-indexnode-b\n");
            cluster(image, false) + &group
        };
        let scenario = Scenario::of(&both("corp-a", "corp-b"), &both("corp-c", "corp-c"))
            .assume("current-version=2.5.22")
            .assume("target-version=2.6.16");
        let held = scenario.clone().stage(Stage::At(1));
        assert!(held.of_rule("MU201").is_empty(), "{:?}", held.of_rule("MU201"));
        assert_eq!(scenario.without_rewrite().of_rule("MU201").len(), 1);
    }

    #[test]
    fn one_version_may_be_stated_without_the_other() {
        let stays = |from: &str, to: &str| Scenario::of(&cluster(from, false), &cluster(to, false));
        let target = stays("v2.5.22", "corp-6").assume("target-version=2.6.16");
        assert_eq!(target.without_rewrite().of_rule("MU201").len(), 1);
        let current = stays("corp-5", "v2.6.16").assume("current-version=2.5.22");
        assert!(current.clone().stage(Stage::At(1)).of_rule("MU201").is_empty());
        assert_eq!(current.without_rewrite().of_rule("MU201").len(), 1);
    }
}
