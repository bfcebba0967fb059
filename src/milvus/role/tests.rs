use super::*;
use crate::value::json;

fn container(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}

fn run(yaml: &str) -> Run {
    match runs(&container(yaml)) {
        Runs::Milvus(run) => run,
        other => panic!("{yaml}: {other:?}"),
    }
}

#[test]
fn finds_every_role() {
    for role in Role::ALL {
        let found = run(&format!("args: [milvus, run, {role}]"));
        assert_eq!((found.role, found.spelled), (role, Spelling::Argument));
        assert!(found.tokens.is_empty() && found.mixture_flags.is_empty() && !found.in_shell);
    }
    assert_eq!(run("args: [milvus, run, embedded]").role, Role::Standalone);
}

#[test]
fn looks_behind_prefixes() {
    for (yaml, tokens) in [
        (
            "args: [/milvus/tools/heaptrack/bin/heaptrack, milvus, run, datanode]",
            &["/milvus/tools/heaptrack/bin/heaptrack"][..],
        ),
        ("command: [/milvus/bin/milvus, run]\nargs: [datanode]", &[]),
        ("command: [/tini, --]\nargs: [milvus, run, datanode]", &["/tini", "--"]),
        (
            "args: [/milvus/tools/run-helm.sh, milvus, run, datanode]",
            &["/milvus/tools/run-helm.sh"],
        ),
        ("command: [env, A=b, milvus]\nargs: [run, datanode]", &["env", "A=b"]),
        (
            "command: [sh, -c, 'exec \"$@\"', --]\nargs: [milvus, run, datanode]",
            &["sh", "-c", "exec \"$@\"", "--"],
        ),
    ] {
        let found = run(yaml);
        assert_eq!(found.role, Role::DataNode, "{yaml}");
        assert_eq!(found.tokens, tokens, "{yaml}");
    }
}

#[test]
fn looks_into_shell_strings() {
    for yaml in [
        "command: [sh, -c, exec milvus run datanode]",
        "command: [sh, -c, 'exec mil\"vus\" run datanode']",
        "command: [/bin/sh, -c]\nargs: ['milvus run datanode']",
        "command: [/bin/bash, -ec, 'ulimit -n 65535; exec /milvus/bin/milvus run datanode 2>&1 | tee /log']",
        "command: [bash, -euo, pipefail, -c, 'sleep 5 && A=b milvus run datanode &> /dev/null']",
        "command: [sh, -c, \"exec 'milvus' \\\"run\\\" datanode\"]",
        "command: [sh, -c, \"# milvus run proxy\\nset -e\\nmilvus run datanode\\n\"]",
        "command: [sh, -c, \"milvus \\\\\\n  run datanode\"]",
        "command: [sh, -c, 'echo \"milvus run proxy\"; milvus run datanode']",
        "command: [sh, -c, 'echo ${X:-a b}; (milvus run datanode)']",
        "command: [sh, -c, 'if true; then exec milvus run datanode; fi']",
    ] {
        let found = run(yaml);
        assert_eq!(found.role, Role::DataNode, "{yaml}");
        assert!(found.in_shell);
    }
    let found = run("command: [/bin/bash, -c, 'exec heaptrack milvus run mixture -rootcoord -querycoord -datacoord']");
    assert_eq!(found.role, Role::MixCoord);
    assert_eq!(found.tokens, ["heaptrack"]);
    assert!(found.mixture_is_complete());
}

#[test]
fn reads_mixture_flags() {
    for (args, flags, complete) in [
        (
            "-rootcoord, -querycoord, -datacoord, -indexcoord",
            &["rootcoord", "querycoord", "datacoord", "indexcoord"][..],
            true,
        ),
        (
            "--rootcoord, -querycoord=true, -datacoord=1",
            &["rootcoord", "querycoord", "datacoord"],
            true,
        ),
        (
            "-rootcoord, -querycoord, -datacoord=false",
            &["rootcoord", "querycoord"],
            false,
        ),
        (
            "-rootcoord, -querycoord, -datacoord, -indexnode",
            &["rootcoord", "querycoord", "datacoord", "indexnode"],
            true,
        ),
        ("-rootcoord, -rootcoord=false", &[], false),
        ("-rootcoord=false, -rootcoord", &["rootcoord"], false),
        (
            "-rootcoord, -querycoord, -rootcoord, -datacoord, -querycoord=0, -datacoord",
            &["rootcoord", "datacoord"],
            false,
        ),
        ("-alias, x, -rootcoord", &["rootcoord"], false),
        ("-alias=x, -querynode", &["querynode"], false),
        ("-rootcoord, stop, -querycoord", &["rootcoord"], false),
        ("-rootcoord, --, -querycoord", &["rootcoord"], false),
    ] {
        let found = run(&format!("args: [milvus, run, mixture, {args}]"));
        assert_eq!(
            (found.role, found.spelled),
            (Role::MixCoord, Spelling::Mixture),
            "{args}"
        );
        assert_eq!(found.mixture_flags, flags, "{args}");
        assert_eq!(found.mixture_is_complete(), complete, "{args}");
    }
    assert!(run("args: [milvus, run, mixture]").mixture_flags.is_empty());
}

#[test]
fn does_not_guess() {
    for (yaml, says) in [
        ("args: [milvus, run]", "names no role"),
        ("args: [milvus, run, $(ROLE)]", "$(ROLE)"),
        ("command: [sh, -c, milvus run $ROLE]", "$ROLE"),
        ("command: [sh, -c, 'milvus run ${ROLE:-datanode}']", "${ROLE:-datanode}"),
        ("command: [sh, -c, 'milvus run mixture $FLAGS']", "$FLAGS"),
        ("args: [milvus, run, DataNode]", "DataNode"),
        ("args: [milvus, run, coordinator]", "coordinator"),
        ("command: [sh, -c, 'milvus run proxy & milvus run datanode']", "2 times"),
        (
            "command: [sh, -c, 'if x; then milvus run proxy; else milvus run datanode; fi']",
            "2 times",
        ),
        (
            "command: [milvus, run, proxy]\nargs: [milvus, run, datanode]",
            "2 times",
        ),
        (
            "args: [milvus, run, proxy, sh, -c, 'milvus run milvus run proxy']",
            "3 times in `milvus run proxy sh -c milvus run milvus run proxy`",
        ),
        ("command: [sh, -c, \"milvus run 'datanode\"]", "open quote"),
        ("command: [milvus, run, brain]", "is no role of Milvus"),
        ("command: [sh, -c, 'bash -c \"milvus run datanode\"']", "not understood"),
        ("command: [sh, -c, 'x=$(milvus run datanode)']", "not understood"),
    ] {
        match runs(&container(yaml)) {
            Runs::Undecidable(why) => assert!(why.contains(says), "{yaml}: {why}"),
            other => panic!("{yaml}: {other:?}"),
        }
    }
}

#[test]
fn leaves_others_alone() {
    for yaml in [
        "{}",
        "args: []",
        "args: null",
        "command: [milvus, stop, datanode]",
        "command: [milvus, mck, run]",
        "command: [/milvus/run.sh]",
        "args: [run, datanode]",
        "command: [attu]",
        "command: [sh, -c, 'until nc -z milvus 19530; do sleep 1; done']",
        "command: [echo, 'milvus run datanode']",
        "command: [sh, -c, 'echo \"milvus']",
        // No script: a file's name, the value of a flag, another program's word.
        "command: [bash, start.sh, 'milvus run datanode']",
        "command: [bash, -e, 'milvus run datanode']",
        "command: [-c, bash, 'milvus run datanode']",
        "command: [-c, 'milvus run datanode', bash]",
        "command: [bash, --rcfile, 'milvus run datanode']",
        "command: [echo, -c, 'milvus run datanode']",
        "args: [1, {a: b}, null]",
    ] {
        assert_eq!(runs(&container(yaml)), Runs::NotMilvus, "{yaml}");
    }
    assert_eq!(runs(&Value::Null), Runs::NotMilvus);
}

#[test]
fn mentions_by_image_or_mount() {
    assert!(mentions_milvus(&json!({"image": "r:5000/x/milvus:v2.6.6"})));
    assert!(mentions_milvus(&json!({"image": "corp/vectordb:1",
        "volumeMounts": [{"mountPath": "/milvus/configs/user.yaml"}]})));
    assert!(mentions_milvus(
        &json!({"volumeMounts": [{"mountPath": "/milvus/configs/"}]})
    ));
    assert!(!mentions_milvus(&json!({"image": "zilliz/attu:v2.5.3"})));
    assert!(!mentions_milvus(
        &json!({"volumeMounts": [{"mountPath": "/milvus/tools"}]})
    ));
    assert!(!mentions_milvus(&Value::Null));
}

#[test]
fn reads_env() {
    let c = json!({"env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C", "valueFrom": {}},
        {"name": "A", "value": "2"}]});
    assert_eq!(env_value(&c, "A"), Some("2"));
    assert_eq!(env_value(&c, "B"), Some(""));
    assert_eq!(env_value(&c, "C"), None);
    assert_eq!(env_value(&c, "D"), None);
}

#[test]
fn knows_the_legacy_coordinators() {
    let legacy: Vec<&str> = Role::ALL
        .into_iter()
        .filter(|r| r.is_legacy_coordinator())
        .map(Role::as_str)
        .collect();
    assert_eq!(legacy, ["rootcoord", "querycoord", "datacoord", "indexcoord"]);
}
