//! The rules: one file each, with code, name, severity, check and tests; one line each in [`RULES`].
//! Modules are declared one by one, since cargo-mutants does not look into macros.

pub mod alike;
pub mod case;
pub mod component;
pub mod hidden;
pub mod keys;
pub mod mu001_unreadable_input;
pub mod mu002_no_milvus_found;
pub mod mu003_state_unknown;
pub mod mu004_state_of_another_release;
pub mod mu005_version_undecidable;
pub mod mu006_values_contradict_stream;
pub mod mu007_role_undecidable;
pub mod mu101_source_too_old;
pub mod mu102_release_candidate;
pub mod mu103_minor_skipped;
pub mod mu104_downgrade;
pub mod mu105_coordinators_not_consolidated;
pub mod mu106_mixed_versions;
pub mod mu107_defective_target;
pub mod mu108_target_misses_fixes;
pub mod mu109_source_before_2_5_22;
pub mod mu110_metadata_migration_needed;
pub mod mu111_rolling_upgrade_unsupported;
pub mod mu112_patch_downgrade;
pub mod mu113_component_lost;
pub mod mu114_immutable_field_changed;
pub mod mu115_stage_out_of_order;
pub mod mu201_dead_role;
pub mod mu202_role_before_its_time;
pub mod mu203_streamingnode_missing;
pub mod mu204_mixture_incomplete;
pub mod mu205_orphaned_reference;
pub mod mu206_network_policy_gap;
pub mod mu207_coordinators_disagree;
pub mod mu208_standby_not_enabled;
pub mod mu209_experimental_streaming;
pub mod mu301_mq_type_changed;
pub mod mu302_standalone_mq_lost;
pub mod mu303_mq_removed;
pub mod mu304_mq_identity_changed;
pub mod mu305_mq_invalid_for_mode;
pub mod mu306_mq_unknown;
pub mod mu307_storage_identity_changed;
pub mod mu308_external_retention;
pub mod mu309_woodpecker_storage;
pub mod mu310_mq_unknown_and_changed;
pub mod mu311_members_changed;
pub mod mu401_config_key_dead;
pub mod mu402_config_default_changed;
pub mod mu403_setting_inert;
pub mod mu501_datanode_undersized;
pub mod mu502_streamingnode_unsized;
pub mod mu503_indexnode_settings_lost;
pub mod mu504_local_disk_missing;
pub mod mu505_streamingnode_count_unset;
pub mod mu601_platform_too_old;
pub mod mu602_chart_image_mismatch;
pub mod mu603_values_reused;
pub mod mu604_dependency_changes_too;
pub mod mu605_unordered_rollout;
pub mod mu606_values_lag_behind;
pub mod mu607_rollback_armed;
pub mod mu608_kept_object;
pub mod mu609_chart_unknown;
pub mod mu901_output_not_vouched_for;
pub mod operated;
pub mod pins;
pub mod places;
pub mod steps;
#[cfg(test)]
pub mod testkit;
pub mod umbrella;
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

/// Every rule, by code.
pub static RULES: &[&Rule] = &[
    &mu001_unreadable_input::RULE,
    &mu002_no_milvus_found::RULE,
    &mu003_state_unknown::RULE,
    &mu004_state_of_another_release::RULE,
    &mu005_version_undecidable::RULE,
    &mu006_values_contradict_stream::RULE,
    &mu007_role_undecidable::RULE,
    &mu101_source_too_old::RULE,
    &mu102_release_candidate::RULE,
    &mu103_minor_skipped::RULE,
    &mu104_downgrade::RULE,
    &mu105_coordinators_not_consolidated::RULE,
    &mu106_mixed_versions::RULE,
    &mu107_defective_target::RULE,
    &mu108_target_misses_fixes::RULE,
    &mu109_source_before_2_5_22::RULE,
    &mu110_metadata_migration_needed::RULE,
    &mu111_rolling_upgrade_unsupported::RULE,
    &mu112_patch_downgrade::RULE,
    &mu113_component_lost::RULE,
    &mu114_immutable_field_changed::RULE,
    &mu115_stage_out_of_order::RULE,
    &mu201_dead_role::RULE,
    &mu202_role_before_its_time::RULE,
    &mu203_streamingnode_missing::RULE,
    &mu204_mixture_incomplete::RULE,
    &mu205_orphaned_reference::RULE,
    &mu206_network_policy_gap::RULE,
    &mu207_coordinators_disagree::RULE,
    &mu208_standby_not_enabled::RULE,
    &mu209_experimental_streaming::RULE,
    &mu301_mq_type_changed::RULE,
    &mu302_standalone_mq_lost::RULE,
    &mu303_mq_removed::RULE,
    &mu304_mq_identity_changed::RULE,
    &mu305_mq_invalid_for_mode::RULE,
    &mu306_mq_unknown::RULE,
    &mu307_storage_identity_changed::RULE,
    &mu308_external_retention::RULE,
    &mu309_woodpecker_storage::RULE,
    &mu310_mq_unknown_and_changed::RULE,
    &mu311_members_changed::RULE,
    &mu401_config_key_dead::RULE,
    &mu402_config_default_changed::RULE,
    &mu403_setting_inert::RULE,
    &mu501_datanode_undersized::RULE,
    &mu502_streamingnode_unsized::RULE,
    &mu503_indexnode_settings_lost::RULE,
    &mu504_local_disk_missing::RULE,
    &mu505_streamingnode_count_unset::RULE,
    &mu601_platform_too_old::RULE,
    &mu602_chart_image_mismatch::RULE,
    &mu603_values_reused::RULE,
    &mu604_dependency_changes_too::RULE,
    &mu605_unordered_rollout::RULE,
    &mu606_values_lag_behind::RULE,
    &mu607_rollback_armed::RULE,
    &mu608_kept_object::RULE,
    &mu609_chart_unknown::RULE,
    &mu901_output_not_vouched_for::RULE,
];

/// The rule with a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|r| r.code == code)
}

/// All codes, ascending.
pub fn codes() -> Vec<&'static str> {
    RULES.iter().map(|r| r.code).collect()
}
