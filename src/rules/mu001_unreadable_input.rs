//! MU001: an input that Helm or Kubernetes could not read.

use super::{Check, Rule};
use crate::finding::{Finding, Input, Location, Severity};
use crate::stream::Unreadable;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU001",
    name: "unreadable-input",
    severity: Severity::Refuse,
    says: "not UTF-8, not YAML, no object where one is needed; with line and column",
    page: include_str!("../../docs/rules/MU001.md"),
    check: Check::Reading,
};

/// The finding for one unreadable document. `file` names a values file.
pub fn finding(unreadable: &Unreadable, input: Input, file: Option<&str>) -> Finding {
    let (what, help) = match input {
        Input::Target => (
            "the manifests cannot be read".to_owned(),
            "mend the template that rendered this document; `helm template` shows the stream that came in".to_owned(),
        ),
        Input::Current => (
            "--current cannot be read".to_owned(),
            "fetch it again, or let Helm be asked: --current release:RELEASE --namespace NAMESPACE".to_owned(),
        ),
        Input::Values => (
            format!("--values {} cannot be read", file.unwrap_or("FILE")),
            "fetch them again, for example: helm get values RELEASE --namespace NAMESPACE --output yaml > values.yaml"
                .to_owned(),
        ),
    };
    let mut finding = RULE.finding(format!("{what}: {}", unreadable.message), help);
    finding.file = file.map(str::to_owned);
    finding.location = Some(Location {
        stream: input,
        document: unreadable.document,
        line: unreadable.position.line,
        column: unreadable.position.column,
    });
    finding
}

/// Where the host takes an answer without objects for the wish that all be deleted (Argo CD, hosts.md 5.8).
pub fn nothing() -> Finding {
    RULE.finding(
        "no object came in, and Argo CD takes an empty answer for success: with pruning it deletes the whole application",
        "find out why nothing was rendered: run `helm template` as the plugin does, and look at what it says on stderr",
    )
}

/// The finding for releases that cannot be judged in a time linear in the size of what came in.
pub fn too_much(releases: usize, workloads: usize, objects: usize, [pairs, allowed]: [usize; 2]) -> Finding {
    let (who, help) = match releases {
        1 => (
            "one release".to_owned(),
            "look for a template that renders its workloads again and again: helm template … | grep --count 'kind: Deployment'\n\
             what is not the release's own goes past milvus-uplift in a stream of its own",
        ),
        n => (
            format!("{n} releases that have to do with each other"),
            "hand the releases over in parts, each with its own --current, as with one `helm upgrade` for each; those belong together of \
             which one names objects of the other or selects its pods, or which would change differently what both share",
        ),
    };
    RULE.finding(
        format!(
            "the {workloads} workloads of Milvus in {who} would have to be weighed against the other objects ({objects} came in) \
             {pairs} times, and the size of what came in allows {allowed}: it could take minutes, in which nobody knows whether it ends"
        ),
        help,
    )
}

/// The finding for more findings than are told.
pub fn too_many(told: usize, judged: usize, releases: usize) -> Finding {
    RULE.finding(
        format!(
            "{told} findings were made for {judged} of {releases} releases, and no more are made: nobody could read them, and what they \
             take grows with the releases and with what each of them has"
        ),
        "mend what the findings before this one name, then look again; what they have in common, such as a configuration that all releases \
         share, has to be mended once",
    )
}

/// The finding for a configuration of more known settings than are looked at one by one.
pub fn too_many_settings(settings: usize, place: &str) -> Finding {
    RULE.finding(
        format!(
            "{settings} settings of which something is known for the upgrade stand in {place}, and Milvus has a few hundred: one finding for \
             each would take all memory"
        ),
        "look for what writes them again and again, and keep those that Milvus knows:\n\
         kubectl get configmap NAME --namespace NAMESPACE --output yaml",
    )
}

/// The finding for plans of releases that would each have to be made beside all others.
pub fn too_much_to_plan(releases: usize, bytes: usize) -> Finding {
    RULE.finding(
        format!(
            "{releases} releases would each have to be planned beside all of the {bytes} bytes of --current, which takes minutes: they have to \
             do with each other, or come with Helm's records"
        ),
        "plan one at a time, from the cluster or from what Helm keeps of it:\n\
         milvus-uplift plan --current release:NAME --namespace NAMESPACE --to VERSION\n\
         helm get manifest NAME --namespace NAMESPACE > current.yaml && milvus-uplift plan --current current.yaml --to VERSION",
    )
}

/// The finding for a verification that asks for more than a time linear in the size of what came in.
pub fn too_much_to_verify(releases: usize, [pairs, allowed]: [usize; 2]) -> Finding {
    let who = match releases {
        1 => "one release".to_owned(),
        n => format!("{n} releases"),
    };
    RULE.finding(
        format!(
            "the workloads of {who} would have to be weighed against the other live objects {pairs} times, and the size of what came in \
             allows {allowed}: it could take minutes, in which nobody knows whether it ends"
        ),
        "verify one release at a time, with a --current that holds that one alone, taken down before its upgrade:\n\
         kubectl get secrets --selector owner=helm,name=RELEASE --namespace NAMESPACE --output yaml > current.yaml\n\
         milvus-uplift verify --current current.yaml --namespace NAMESPACE",
    )
}

/// The finding for values that would be read again for each of too many releases.
pub fn too_much_of_values(releases: usize, [read, allowed]: [usize; 2]) -> Finding {
    RULE.finding(
        format!(
            "{releases} releases would each be judged by the same values, {read} bytes of them in all, and the size of what came in allows \
             {allowed}: it could take minutes, in which nobody knows whether it ends"
        ),
        "hand the releases over in parts, each with the values it was rendered with: helm get values NAME --namespace NAMESPACE --output yaml; \
         in an umbrella chart those of each stand below its own key",
    )
}

/// The finding for a `--patch` that cannot be read, or has no object to be made on.
pub fn of_patch(why: &str) -> Finding {
    RULE.finding(
        format!("--patch {why}"),
        "mend the patch, or leave it out; `milvus-uplift diff --patch FILE` shows what it changes, and a patch looks like this:\n\
         - target: {kind: Deployment, role: querynode}\n\
         \x20 patch:\n\
         \x20   - {op: add, path: /spec/template/spec/priorityClassName, value: high}",
    )
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn a_broken_document_is_named_with_its_place() {
        let judgement =
            Scenario::raw("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\na: b: c\n").judge();
        let finding = &judgement.findings[0];
        assert_eq!(finding.code, "MU001");
        let location = finding.location.as_ref().unwrap();
        assert_eq!((location.document, location.line), (1, 7));
        assert!(judgement.output.is_none());
    }

    #[test]
    fn all_broken_documents_are_named() {
        let judgement = Scenario::raw("---\na: b: c\n---\n- 1\n---\nkind: A\n").judge();
        assert_eq!(judgement.findings.iter().filter(|f| f.code == "MU001").count(), 3);
    }

    #[test]
    fn bytes_that_are_no_text() {
        let judgement = Scenario::bytes(b"---\napiVersion: v1\nkind: \xff\n").judge();
        assert!(judgement.findings[0].message.contains("0xff"));
        assert_eq!(
            judgement.findings[0].location.as_ref().map(|l| (l.line, l.column)),
            Some((3, 7))
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        for value in [
            "*hunter2",
            "!!int hunter2",
            "@hunter2",
            "hunter2: x",
            "\"hunter2",
            "!!binary hunter2",
        ] {
            let text =
                format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\nstringData:\n  password: {value}\n");
            let findings = Scenario::raw(&text).judge().findings;
            assert!(findings.iter().any(|f| f.code == "MU001"), "{value}");
            assert!(!format!("{findings:?}").contains("hunter2"), "{findings:?}");
        }
    }

    #[test]
    fn odd_but_readable_streams_pass() {
        for text in [
            "# nothing but a comment\n",
            "---\n",
            "{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"name\": \"a\"}}\n",
        ] {
            assert!(
                Scenario::raw(text).judge().findings.iter().all(|f| f.code != "MU001"),
                "{text:?}"
            );
        }
    }
}
