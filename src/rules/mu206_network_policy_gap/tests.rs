use crate::finding::Finding;
use crate::rules::testkit::Scenario;

fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n{spec}"
    )
}

const ALL: &str = "  podSelector:\n    matchLabels:\n      app.kubernetes.io/instance: rel\n";

fn found(policies: &str) -> Vec<Finding> {
    Scenario::upgrade("v2.5.16", "v2.6.16")
        .add_target(policies)
        .of_rule("MU206")
}

fn ports(list: &str) -> String {
    policy("p", &format!("{ALL}  ingress:\n    - ports: [{list}]\n"))
}

#[test]
fn closed_ports_are_named_with_a_policy_to_paste() {
    let all = found(&ports(
        "{port: 53100}, {port: 9091}, {port: 19530}, {port: 21123}, {port: 21124}",
    ));
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(
        all[0].message.contains("22222 (streamingnode)") && !all[0].message.contains("21123"),
        "{}",
        all[0].message
    );
    assert!(all[0].message.contains("NetworkPolicy p keeps"));
    for words in [
        "port: 22222",
        "policyTypes: [Ingress]",
        "\"component\":\"streamingnode\"",
        "namespace: ns",
    ] {
        assert!(all[0].help.contains(words), "{}", all[0].help);
    }
    assert!(all[0].location.is_some());
    assert!(
        crate::yaml::read(all[0].help.split_once('\n').unwrap().1)
            .unwrap()
            .is_some()
    );
}

#[test]
fn open_ones_are_quiet() {
    assert!(found("").is_empty());
    assert!(found(&ports("{port: 53100}, {port: 22222}, {port: 21123}")).is_empty());
    assert!(found(&ports("{port: 20000, endPort: 60000}")).is_empty());
    assert!(found(&policy("p", &format!("{ALL}  ingress:\n    - {{}}\n"))).is_empty());
    assert!(
        found(&policy(
            "p",
            &format!("{ALL}  ingress:\n    - from:\n        - podSelector: {{}}\n")
        ))
        .is_empty()
    );
    assert!(
        found(&policy(
            "p",
            "  podSelector:\n    matchLabels:\n      component: minio\n"
        ))
        .is_empty()
    );
}

#[test]
fn policies_add_up() {
    let rest = ports("{port: 53100}, {port: 21123}");
    let node = policy(
        "q",
        "  podSelector:\n    matchLabels:\n      component: streamingnode\n  ingress:\n    - ports: [{port: streamingnode}]\n",
    );
    assert!(found(&(rest.clone() + &node)).is_empty());
    assert_eq!(found(&rest).len(), 1);
}

#[test]
fn a_port_that_was_moved_is_the_one_that_counts() {
    let open = |port: u16| ports(&format!("{{port: {port}}}, {{port: 22222}}, {{port: 21123}}"));
    let moved = |port: u16| {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("port: 53100", "port: 54000")
            .add_target(&open(port))
            .of_rule("MU206")
    };
    assert!(moved(54000).is_empty());
    assert!(moved(53100)[0].message.contains("54000 (rootcoord)"));
    let unset = |port: u16| {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("      port: 53100\n", "")
            .add_target(&open(port))
            .of_rule("MU206")
    };
    assert!(unset(22125).is_empty() && unset(53100).len() == 1);
}

#[test]
fn the_way_out_counts_too() {
    let out = |list: &str| {
        policy(
            "p",
            &format!("{ALL}  policyTypes: [Egress]\n  egress:\n    - ports: [{list}]\n"),
        )
    };
    let all = found(&out("{port: 53100}, {port: 2379}"));
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(
        all[0].message.contains("22222 (streamingnode) and 21123 (querynode)") && all[0].help.contains("egress:"),
        "{}",
        all[0].message
    );
    assert!(
        all[0].message.starts_with("NetworkPolicy p lets "),
        "{}",
        all[0].message
    );
    let second = policy("q", &format!("{ALL}  policyTypes: [Egress]\n"));
    let two = found(&(out("{port: 53100}, {port: 2379}") + &second));
    assert!(
        two[0].message.starts_with("NetworkPolicies p and q let "),
        "{}",
        two[0].message
    );
    assert!(found(&out("{port: 53100}, {port: 22222}, {port: 21123}")).is_empty());
}

#[test]
fn deny_all_closes_everything() {
    let all = found(&policy("deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n"));
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
fn a_policy_of_one_coordinator_closes_the_ports_of_the_others() {
    let of = |role: &str, port: u16| {
        policy(
            role,
            &format!(
                "  podSelector:\n    matchLabels:\n      component: {role}\n  ingress:\n    - ports: [{{port: {port}}}]\n"
            ),
        )
    };
    let with = |policies: &str| {
        Scenario::consolidation("v2.5.10", "v2.5.16")
            .add_target(policies)
            .of_rule("MU206")
    };
    let all = with(&of("querycoord", 19531));
    assert!(
        all.len() == 1 && all[0].message.contains("53100 (rootcoord) and 13333 (datacoord)"),
        "{all:?}"
    );
    assert!(with(&(of("querycoord", 19531) + &of("rootcoord", 53100) + &of("datacoord", 13333))).is_empty());
}

#[test]
fn what_runs_like_that_already_is_not_told_again() {
    let closed = ports("{port: 9091}");
    assert!(
        Scenario::upgrade("v2.6.4", "v2.6.16")
            .add_target(&closed)
            .of_rule("MU206")
            .is_empty()
    );
    assert!(
        !Scenario::upgrade("v2.6.4", "v2.6.16")
            .fresh()
            .add_target(&closed)
            .of_rule("MU206")
            .is_empty()
    );
}

/// The proxy, a second one of other labels, and a policy of the one or the other.
fn of_two_proxies(component: &str, spec: &str) -> Vec<String> {
    let second = crate::rules::testkit::deployment("proxy", "\"proxy\"", "v2.6.16")
        .replace("rel-milvus-proxy\n", "rel-milvus-proxy-b\n")
        .replace("component: \"proxy\"", "component: \"proxy-b\"");
    let policy = policy(
        "p",
        &format!("  podSelector:\n    matchLabels:\n      component: {component}\n{spec}"),
    );
    let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
        .add_target(&(second.clone() + &policy))
        .add_current(&second.replace("v2.6.16", "v2.5.16"));
    scenario.of_rule("MU206").into_iter().map(|f| f.message).collect()
}

#[test]
fn a_policy_holds_for_those_that_it_selects() {
    let shut = "  policyTypes: [Egress]\n  egress:\n    - ports: [{port: 2379}]\n";
    let lets = |who: &str, to: &str| vec![format!("NetworkPolicy p lets {who} out, and not to {to}")];
    let mut proxies = of_two_proxies("proxy", shut);
    assert!(of_two_proxies("nobody", shut).is_empty());
    assert_eq!(proxies, of_two_proxies("proxy-b", shut));
    let node = policy(
        "p",
        &format!("  podSelector:\n    matchLabels:\n      component: datanode\n{shut}"),
    );
    let mut nodes: Vec<String> = found(&node).into_iter().map(|f| f.message).collect();
    for message in proxies.iter_mut().chain(&mut nodes) {
        message.truncate(message.find(", as far").unwrap());
    }
    assert_eq!(
        proxies,
        lets("proxy", "rel-milvus-mixcoord and rel-milvus-streamingnode")
    );
    assert_eq!(nodes, lets("datanode", "rel-milvus-mixcoord"));
}
