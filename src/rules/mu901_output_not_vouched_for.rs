//! MU901: the output does not say what it should.

use super::{Check, Rule};
use crate::finding::{Finding, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU901",
    name: "output-not-vouched-for",
    severity: Severity::Refuse,
    says: "the output does not read back as input plus changes (exit 3)",
    page: include_str!("../../docs/rules/MU901.md"),
    check: Check::Reading,
};

/// The finding: a fault of this program, never of its input.
pub fn finding(why: &str) -> Finding {
    RULE.finding(
        format!("the manifests were rewritten and the result cannot be vouched for: {why}"),
        "nothing was written. This is a fault of milvus-uplift: please report it with the manifests (secrets removed); \
         meanwhile set the guide's flags in the chart's values and run with --rewrite never",
    )
}

#[cfg(test)]
mod tests {
    use crate::apply::{proposed, render};
    use crate::finding::Input;
    use crate::rewrite::{Change, remove};
    use crate::stream::Stream;

    #[test]
    fn a_patch_that_does_not_fit_is_never_written() {
        let text = b"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
        let stream = Stream::read(&text[..], Input::Target).unwrap();
        let change = Change::patch(&stream.objects[0], vec![remove("/data/x")], "test");
        assert!(
            render(&stream, std::slice::from_ref(&change))
                .unwrap_err()
                .0
                .contains("/data/x")
        );
        assert!(proposed(&stream, &[change]).is_err());
    }
}
