use crate::finding::Finding;
use crate::rules::testkit::{self, Scenario};

fn with(values: &str) -> Vec<Finding> {
    Scenario::upgrade("v2.5.22", "v2.6.16").values(values).of_rule("MU006")
}

#[test]
fn another_tag_or_repository_is_told_with_both() {
    let found = with("image:\n  all:\n    tag: v2.6.15\n    repository: corp.example:5000/milvus\n");
    assert_eq!(found.len(), 2);
    assert!(
        found[0].message.contains("image.all.tag: v2.6.15") && found[0].message.contains("milvusdb/milvus:v2.6.16"),
        "{}",
        found[0].message
    );
    assert!(found[1].message.contains("corp.example:5000/milvus"));
    assert!(
        found
            .iter()
            .all(|f| f.location.is_some() && f.help.contains("helm get values rel --namespace ns"))
    );
}

#[test]
fn the_tag_of_this_call_is_given_ready_to_paste() {
    let help = |scenario: Scenario, values: &str| scenario.values(values).of_rule("MU006")[0].help.clone();
    let plain = || Scenario::upgrade("v2.5.22", "v2.6.16");
    let old = "image:\n  all:\n    tag: v2.5.22\n";
    let text = help(plain(), old);
    assert!(
        text.contains("echo '{image: {all: {tag: v2.6.16}}}' > tag.yaml, then --values tag.yaml"),
        "{text}"
    );
    let pinned = plain()
        .edit_target("milvusdb/milvus:v2.6.16", "milvusdb/milvus@sha256:0123")
        .assume("target-version=2.6.16");
    let text = help(pinned, &format!("{old}    repository: milvusdb/milvus@sha256\n"));
    assert!(text.contains("{tag: \"0123\"}"), "{text}");
    let umbrella = plain().edit_target("# Source: milvus/templates", "# Source: stack/charts/vectors/templates");
    let text = help(umbrella, "vectors:\n  image:\n    all:\n      tag: v2.5.22\n");
    assert!(text.contains("vectors: {image: {all: {tag: v2.6.16}}}"), "{text}");
}

#[test]
fn replicas_of_a_component_that_is_there() {
    let found = with("queryNode:\n  replicas: 4\nindexNode:\n  replicas: \"2\"\n");
    assert_eq!(found.len(), 2);
    assert!(
        found[0].message.contains("queryNode.replicas: 4") && found[0].message.contains("rel-milvus-querynode has 1"),
        "{}",
        found[0].message
    );
    let field = found[0].field.as_ref().unwrap();
    assert_eq!(
        (field.path.as_str(), &field.current, &field.proposed),
        ("/spec/replicas", &1.into(), &1.into())
    );
}

#[test]
fn what_no_value_says_and_what_prints_the_same_stays_quiet() {
    for values in [
        "",
        "image:\n  all:\n    tag: \"\"\n    pullPolicy: Always\n",
        "image:\n  all:\n    tag: null\n",
        "image:\n  all:\n    tag: v2.6.16\n    repository: milvusdb/milvus\n",
        "image:\n  all:\n    repository: docker.io/milvusdb/milvus\n",
        "queryNode:\n  replicas: -1\ndataNode:\n  replicas: null\nproxy:\n  replicas: \"1\"\nindexNode:\n  replicas: 1.0\n",
        "mixCoordinator:\n  replicas: 1\nstreamingNode:\n  replicas: 3\nrootCoordinator:\n  replicas: 2\n",
        "standalone:\n  replicas: 5\n",
        "etcd:\n  image:\n    tag: other\n",
    ] {
        assert!(with(values).is_empty(), "{values:?}: {:?}", with(values));
    }
}

#[test]
fn a_tag_that_yaml_reads_as_a_number() {
    let scenario = Scenario::upgrade("v2.5.22", "2.6").assume("target-version=2.6.16");
    assert!(
        scenario
            .clone()
            .values("image:\n  all:\n    tag: 2.6\n")
            .of_rule("MU006")
            .is_empty()
    );
    assert!(
        scenario
            .clone()
            .values("image:\n  all:\n    tag: 2.60\n")
            .of_rule("MU006")
            .is_empty()
    );
    assert_eq!(
        scenario
            .values("image:\n  all:\n    tag: \"2.60\"\n")
            .of_rule("MU006")
            .len(),
        1
    );
}

#[test]
fn an_autoscaler_or_a_second_workload_decides_the_replicas() {
    let hpa = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: h\n  namespace: ns\nspec:\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-querynode\n";
    let scenario = Scenario::upgrade("v2.5.22", "v2.6.16").values("queryNode:\n  replicas: 4\n");
    assert_eq!(scenario.of_rule("MU006").len(), 1);
    assert!(scenario.clone().add_target(hpa).of_rule("MU006").is_empty());
    let group = testkit::deployment("querynode", "\"querynode\"", "v2.6.16")
        .replace("name: rel-milvus-querynode\n", "name: rel-milvus-querynode-rg1\n");
    assert!(scenario.clone().add_target(&group).of_rule("MU006").is_empty());
    assert!(
        scenario
            .edit_in_target("Deployment", "rel-milvus-querynode", "  replicas: 1\n", "")
            .of_rule("MU006")
            .is_empty()
    );
}

#[test]
fn values_of_an_umbrella_chart_for_the_chart_alone_and_the_reverse() {
    let found = with("vectors:\n  queryNode:\n    replicas: 1\n");
    assert!(
        found[0].message.contains("under `vectors`") && found[0].help.contains("yq '.vectors'"),
        "{:?}",
        found[0]
    );
    let source = |path: &str| {
        let umbrella = |t: String| t.replace("# Source: milvus/templates/", path);
        Scenario::of(
            &umbrella(testkit::cluster("v2.5.22", false)),
            &umbrella(testkit::cluster("v2.6.16", false)),
        )
    };
    let scenario = source("# Source: app/charts/vectors/templates/");
    let found = scenario.clone().values("queryNode:\n  replicas: 1\n").of_rule("MU006");
    assert!(
        found[0].message.contains("at their root") && found[0].help.contains("vectors"),
        "{:?}",
        found[0]
    );
    for right in [
        "vectors:\n  queryNode:\n    replicas: 1\n",
        "second:\n  queryNode:\n    replicas: 9\n",
        "web:\n  image:\n    tag: x\n",
    ] {
        assert!(scenario.clone().values(right).of_rule("MU006").is_empty(), "{right}");
    }
}

/// A stream as kustomize or kpt hand it on: without Helm's comments.
fn untold() -> Scenario {
    let bare = |tag: &str| {
        let text = testkit::cluster(tag, false);
        let lines = text.lines().filter(|line| !line.starts_with("# Source"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    Scenario::of(&bare("v2.5.22"), &bare("v2.6.16"))
}

#[test]
fn where_nothing_tells_how_the_chart_is_rooted_the_only_key_with_the_images_tag_is_taken() {
    let values = |replicas: u8| {
        format!(
            "other:\n  a: 1\nvectors:\n  image:\n    all:\n      tag: v2.6.16\n  queryNode:\n    replicas: {replicas}\n  \
             streamingNode:\n    replicas: 3\n"
        )
    };
    let scenario = untold().values(&values(1));
    assert!(scenario.of_rule("MU006").is_empty(), "{:?}", scenario.of_rule("MU006"));
    let node = testkit::brought(&scenario.judge(), "Deployment", "streamingnode").expect("it comes");
    assert_eq!(node["spec"]["replicas"], 3);
    // What is given for Helm goes there, too.
    let help = &scenario.of_rule("MU606")[0].help;
    assert!(help.contains("\nvectors:\n  streaming:\n    enabled: true"), "{help}");
    // They are held to the stream as any.
    let found = untold().values(&values(4)).of_rule("MU006");
    assert!(found[0].message.contains("queryNode.replicas: 4"), "{found:?}");
    let two = format!("{}old:\n  image:\n    all:\n      tag: v2.5.22\n", values(1));
    assert!(untold().values(&two).of_rule("MU006").is_empty());
    let nested = values(1).replace('\n', "\n  ");
    assert!(
        untold()
            .values(&format!("stack:\n  {nested}"))
            .of_rule("MU006")
            .is_empty()
    );
}

#[test]
fn where_no_key_or_several_have_the_images_tag_it_is_told_so() {
    let at = |key: &str, tag: &str| format!("{key}:\n  image:\n    all:\n      tag: {tag}\n");
    let message = |values: &str| {
        let found = untold().values(values).of_rule("MU006");
        assert_eq!(found.len(), 1, "{values}: {found:?}");
        assert!(found[0].help.contains("yq '.a' values.yaml"), "{}", found[0].help);
        found[0].message.clone()
    };
    let several = message(&(at("a", "v2.6.16") + &at("b", "v2.6.16")));
    assert!(
        several.contains("under `a` and `b` and not at their root, and nothing in this stream tells"),
        "{several}"
    );
    for values in [at("a", "v2.6.15"), "a:\n  queryNode:\n    replicas: 1\n".to_owned()] {
        let one = message(&values);
        assert!(
            one.contains("under `a` and not") && one.contains("do not have the tag of these values"),
            "{one}"
        );
    }
    for right in [
        &at("image", "x")[..],
        "{}",
        "etcd:\n  image:\n    tag: x\n",
        "queryNode:\n  replicas: 1\n",
    ] {
        let right = right
            .replace("image:\n  image:", "image:")
            .replace("tag: x", "tag: v2.6.16");
        assert!(untold().values(&right).of_rule("MU006").is_empty(), "{right}");
    }
}

#[test]
fn nothing_is_said_without_values() {
    assert!(Scenario::upgrade("v2.5.22", "v2.6.16").of_rule("MU006").is_empty());
}

#[test]
fn a_tag_is_known_beside_a_digest_and_where_a_template_prints_it_with_an_exponent() {
    let pinned = Scenario::upgrade("v2.5.22", "v2.6.16").edit_target(":v2.6.16", ":v2.6.16@sha256:0123");
    let given = |scenario: &Scenario, tag: &str| {
        let values = format!("image:\n  all:\n    tag: {tag}\n");
        scenario.clone().values(&values).of_rule("MU006").len()
    };
    assert_eq!(given(&pinned, "v2.6.16"), 0);
    assert_eq!(given(&pinned, "v2.6.16@sha256:0123"), 0);
    assert_eq!(given(&pinned, "v2.6.15"), 1);
    let printed = Scenario::upgrade("v2.5.22", "2.0260723e+07").assume("target-version=2.6.16");
    assert_eq!(given(&printed, "20260723"), 0);
    assert_eq!(given(&printed, "20260724"), 1);
    assert_eq!(given(&printed, "\"20260723\""), 1, "a text is printed as it is");
}

#[test]
fn a_digest_may_be_given_as_the_tag_of_a_repository() {
    let of = |image: &str| {
        Scenario::upgrade("v2.5.22", "v2.6.16")
            .edit_target("milvusdb/milvus:v2.6.16", image)
            .assume("target-version=2.6.16")
    };
    let given = |scenario: &Scenario, repository: &str, tag: &str| {
        let values = format!("image:\n  all:\n    repository: {repository}\n    tag: \"{tag}\"\n");
        let found = scenario.clone().values(&values).of_rule("MU006");
        found
            .iter()
            .map(|f| f.message.split(':').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let (tag, repository) = ("the values say image.all.tag", "the values say image.all.repository");
    let digest = of("milvusdb/milvus@sha256:0123");
    assert!(given(&digest, "milvusdb/milvus@sha256", "0123").is_empty());
    assert_eq!(given(&digest, "milvusdb/milvus@sha256", "0124"), [tag]);
    assert_eq!(given(&digest, "milvusdb/milvus@sha512", "0123"), [repository]);
    assert_eq!(given(&digest, "other/milvus@sha256", "0123"), [repository]);
    let both = of("milvusdb/milvus:v2.6.16@sha256:0123");
    assert!(given(&both, "milvusdb/milvus:v2.6.16@sha256", "0123").is_empty());
    assert_eq!(given(&both, "milvusdb/milvus:v2.6.15@sha256", "0123"), [repository]);
    // Behind a registry's name, whose port is no tag.
    let mirror = of("corp.example:5000/milvusdb/milvus@sha256:0123");
    assert!(given(&mirror, "milvusdb/milvus@sha256", "0123").is_empty());
    assert_eq!(given(&mirror, "corp.example", "0123"), [repository]);
}

#[test]
fn the_autoscaler_of_another_component_decides_nothing() {
    let scenario = Scenario::upgrade("v2.5.22", "v2.6.16").add_target(&testkit::autoscaler("proxy", 1, 3));
    for (replicas, want) in [("4", 1), ("1", 0), ("2.5", 0), ("-1", 0)] {
        let values = format!("queryNode:\n  replicas: {replicas}\n");
        let found = scenario.clone().values(&values).of_rule("MU006");
        assert_eq!(found.len(), want, "{replicas}: {found:?}");
    }
}
