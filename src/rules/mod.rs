//! The rules: one file each, with code, name, severity, check and tests; one line each in [`RULES`].

pub mod case;
pub mod component;
pub mod hidden;
pub mod keys;
pub mod operated;
pub mod pins;
pub mod places;
pub mod steps;
#[cfg(test)]
pub mod testkit;
pub mod unmounted;
pub mod volumes;

use crate::finding::{Finding, Severity};
use case::Case;

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// `MU301`; never used for anything else again.
    pub code: &'static str,
    /// `mq-type-changed`.
    pub name: &'static str,
    /// What a finding of it weighs.
    pub severity: Severity,
    /// One line for the table of rules.
    pub says: &'static str,
    /// Its page in the docs.
    pub page: &'static str,
    /// How it is checked.
    pub check: Check,
}

/// How a rule is checked.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// For each release on its own.
    Release(fn(&Case) -> Vec<Finding>),
    /// Where inputs are read, before there is a release to judge, or once for the whole stream.
    Reading,
}

impl Rule {
    /// A finding of this rule: one sentence with the values in it, and what to do, ready to paste.
    pub fn finding(&self, message: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding {
            code: self.code,
            name: self.name,
            severity: self.severity,
            allowed: false,
            message: message.into(),
            help: help.into(),
            object: None,
            field: None,
            location: None,
            anchor: None,
            template: None,
            file: None,
        }
    }
}

/// Declares the rule modules and the registry in one place, so that neither can lack what the other has.
macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*
        /// Every rule, by code.
        pub static RULES: &[&Rule] = &[$(&$module::RULE),*];
    };
}

rules! {
    mu001_unreadable_input,
    mu002_no_milvus_found,
    mu003_state_unknown,
    mu004_state_of_another_release,
    mu005_version_undecidable,
    mu006_values_contradict_stream,
    mu007_role_undecidable,
    mu101_source_too_old,
    mu102_release_candidate,
    mu103_minor_skipped,
    mu104_downgrade,
    mu105_coordinators_not_consolidated,
    mu106_mixed_versions,
    mu107_defective_target,
    mu108_target_misses_fixes,
    mu109_source_before_2_5_22,
    mu110_metadata_migration_needed,
    mu111_rolling_upgrade_unsupported,
    mu112_patch_downgrade,
    mu113_component_lost,
    mu114_immutable_field_changed,
    mu115_stage_out_of_order,
    mu201_dead_role,
    mu202_role_before_its_time,
    mu203_streamingnode_missing,
    mu204_mixture_incomplete,
    mu205_orphaned_reference,
    mu206_network_policy_gap,
    mu207_coordinators_disagree,
    mu208_standby_not_enabled,
    mu209_experimental_streaming,
    mu301_mq_type_changed,
    mu302_standalone_mq_lost,
    mu303_mq_removed,
    mu304_mq_identity_changed,
    mu305_mq_invalid_for_mode,
    mu306_mq_unknown,
    mu307_storage_identity_changed,
    mu308_external_retention,
    mu309_woodpecker_storage,
    mu310_mq_unknown_and_changed,
    mu311_members_changed,
    mu401_config_key_dead,
    mu402_config_default_changed,
    mu403_setting_inert,
    mu501_datanode_undersized,
    mu502_streamingnode_unsized,
    mu503_indexnode_settings_lost,
    mu504_local_disk_missing,
    mu505_streamingnode_count_unset,
    mu601_platform_too_old,
    mu602_chart_image_mismatch,
    mu603_values_reused,
    mu604_dependency_changes_too,
    mu605_unordered_rollout,
    mu606_values_lag_behind,
    mu607_rollback_armed,
    mu608_kept_object,
    mu609_chart_unknown,
    mu901_output_not_vouched_for,
}

/// The rule with a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|r| r.code == code)
}

/// All codes, ascending.
pub fn codes() -> Vec<&'static str> {
    RULES.iter().map(|r| r.code).collect()
}
