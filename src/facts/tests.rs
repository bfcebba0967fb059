use super::*;
use crate::milvus::role::Role;

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// Every mapping that has a source, and every one that has neither mappings below nor a source.
fn mappings<'a>(value: &'a crate::value::Value, found: &mut Vec<&'a crate::value::Map>) {
    match value {
        crate::value::Value::Array(items) => items.iter().for_each(|i| mappings(i, found)),
        crate::value::Value::Object(map) if map.contains_key("source") => found.push(map),
        crate::value::Value::Object(map) => {
            if !map.values().any(|v| v.is_object() || v.is_array()) {
                found.push(map);
            }
            map.values().for_each(|v| mappings(v, found));
        }
        _ => {}
    }
}

/// `2026-11-20`, and not before the facts were first collected.
fn is_date(text: &str) -> bool {
    let fits = |(i, b): (usize, u8)| {
        if i == 4 || i == 7 {
            b == b'-'
        } else {
            b.is_ascii_digit()
        }
    };
    text.len() == 10 && text.bytes().enumerate().all(fits) && text >= "2026-11-20"
}

#[test]
fn no_file_of_data_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/facts/data");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().replace(".yaml", ""))
        .collect();
    let mut names: Vec<String> = TABLES.iter().map(|t| t.name.to_owned()).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn every_table_reads() {
    assert!(!versions().fixes.is_empty() && !hops().back.is_empty() && !charts().releases.is_empty());
    assert!(!config_keys().is_empty() && !default_changes().is_empty() && !chart_keys().is_empty());
    assert!(!notes().is_empty() && !sizing().mixcoord.is_empty() && ports(Role::Proxy).count() > 1);
}

#[test]
fn every_row_says_where_and_when() {
    for table in TABLES {
        let (name, value) = (table.name, table.parsed().unwrap());
        let mut found = Vec::new();
        mappings(&value, &mut found);
        assert!(found.len() >= 3, "{name}");
        assert_eq!(
            found.len(),
            rows(&value).len(),
            "{name}: not every row would be printed"
        );
        for row in found {
            let text = |key: &str| row.get(key).and_then(|v| v.as_str()).unwrap_or_default();
            assert!(text("source").len() > 5, "{name}: {row:?}");
            assert!(is_date(text("checked")), "{name}: {row:?}");
        }
    }
}

#[test]
fn versions_are_in_order() {
    let table = versions();
    for defect in &table.defects {
        assert!(defect.range.from < defect.range.before);
    }
    assert!(table.defects.windows(2).all(|w| w[0].range.before <= w[1].range.from));
    assert!(table.fixes.windows(2).all(|w| w[0].fixed_in < w[1].fixed_in));
    assert!(table.marks.consolidate.version < table.marks.prefer.version);
    assert!(!table.marks.streaming.version.is_pre());
}

#[test]
fn defects_are_found() {
    let table = versions();
    let lifted = |t: &str| table.defect(&v(t)).map(|d| d.lifted_by);
    assert_eq!(lifted("2.6.0"), None);
    assert_eq!(lifted("2.6.1-gpu"), Some(None));
    assert_eq!(lifted("2.6.2"), None);
    assert_eq!(lifted("2.6.11"), None);
    assert_eq!(lifted("2.6.12"), Some(Some("no-dynamic-fields")));
    assert_eq!(lifted("2.6.14"), Some(Some("no-dynamic-fields")));
    assert_eq!(lifted("2.6.15"), None);
    let missing = |t: &str| table.missing_fixes(&v(t)).count();
    assert_eq!(missing("2.6.15"), missing("2.6.16") + 1);
    assert!(table.missing_fixes(&v("2.6.0")).all(|f| f.fixed_in.line() == (2, 6)));
    assert!(table.missing_fixes(&v("3.0.0")).all(|f| f.fixed_in.line() == (3, 0)));
}

#[test]
fn hops_lead_up_one_line_at_a_time() {
    let table = hops();
    assert!(table.hops.iter().all(|h| h.from < h.to));
    assert!(table.hops.windows(2).all(|w| w[0].from < w[1].from));
    assert!(table.direct((2, 4), (2, 6)).is_none());
    assert!(table.direct((2, 5), (3, 0)).is_none());
    let hop = table.direct((2, 5), (2, 6)).unwrap();
    assert_eq!(hop.leave_at, Some(v("2.5.16")));
    assert_eq!(hop.prefer_at, Some(v("2.5.22")));
    assert_eq!(table.direct((2, 1), (2, 2)).unwrap().how, How::Migration);
    let lines: Vec<_> = table.route((2, 3), (3, 0)).unwrap().iter().map(|h| h.to).collect();
    assert_eq!(lines, [(2, 4), (2, 5), (2, 6), (3, 0)]);
    assert!(table.route((2, 6), (2, 6)).unwrap().is_empty());
    assert!(table.route((2, 6), (2, 5)).is_none());
    assert!(table.route((2, 6), (2, 9)).is_none());
    assert!(table.route((1, 1), (2, 6)).is_none());
}

#[test]
fn ways_back_are_known() {
    let allowed = |from: &str, to: &str| hops().back(&v(from), &v(to)).map(|b| b.allowed);
    assert_eq!(allowed("3.0.0", "2.6.20"), Some(true));
    assert_eq!(allowed("3.0.1", "2.6.22"), Some(true));
    assert_eq!(allowed("3.0.0", "2.6.19"), Some(false));
    assert_eq!(allowed("2.6.0", "2.5.27"), Some(false));
    assert_eq!(allowed("2.6.0", "2.6.0-rc1"), None);
    assert_eq!(allowed("2.6.6", "2.6.0-rc1"), Some(false));
    assert_eq!(allowed("2.6.6", "2.6.5"), Some(false));
    assert_eq!(allowed("2.6.7", "2.6.6"), None);
    assert_eq!(allowed("2.5.22", "2.5.16"), None);
    // Pre-releases of 2.6 count as 2.6 for Milvus; a downgrade from them is for the rules, which refuse them anyway.
    assert_eq!(allowed("3.1.0", "2.6.20"), None);
}

#[test]
fn keys_are_sorted_and_found() {
    let table = config_keys();
    for pair in table.windows(2) {
        let key = |r: &KeyRow| (r.key.to_lowercase(), r.since.clone());
        assert!(key(&pair[0]) < key(&pair[1]), "{} {}", pair[0].key, pair[1].key);
    }
    for row in table {
        assert!(row.since >= v("2.5.0"));
        if row.status == KeyStatus::MovedWithoutFallback || row.status == KeyStatus::RenamedWithFallback {
            assert!(row.new.is_some(), "{}", row.key);
        }
    }
    let status = |key: &str, target: &str| key_status(key, &v(target)).map(|r| r.status);
    assert_eq!(
        status("rootCoord.enableActiveStandby", "2.6.7"),
        Some(KeyStatus::RenamedWithFallback)
    );
    assert_eq!(status("rootCoord.enableActiveStandby", "2.6.8"), Some(KeyStatus::Dead));
    assert_eq!(status("ROOTCOORD_ENABLEACTIVESTANDBY", "2.6.8"), Some(KeyStatus::Dead));
    assert_eq!(status("rootCoord.enableActiveStandby", "2.5.16"), None);
    assert_eq!(status("natsmq.server.port", "2.6.0"), Some(KeyStatus::Removed));
    assert_eq!(
        status("indexNode.scheduler.buildParallel", "2.6.0"),
        Some(KeyStatus::Kept)
    );
    assert_eq!(
        status("indexNode.grpc.serverMaxSendSize", "2.6.0"),
        Some(KeyStatus::Removed)
    );
    assert_eq!(status("common.storage.enablev2", "2.6.8"), None);
    assert_eq!(status("common.storage.enablev2", "2.6.9"), Some(KeyStatus::Removed));
    assert_eq!(status("proxy.maxNameLength", "2.6.9"), None);
    assert!(KeyStatus::Dead.is_ignored() && !KeyStatus::Kept.is_ignored());
}

#[test]
fn a_value_goes_only_where_there_is_a_key_for_it() {
    for row in config_keys() {
        assert!(row.value == ValueFit::Not || row.new.is_some(), "{}", row.key);
        assert!(row.review_unless.is_none() || !row.status.is_ignored(), "{}", row.key);
        // A replacement that is ignored itself would be no help.
        let new = row.new.and_then(|new| key_status(new, &row.since));
        assert!(!new.is_some_and(|n| n.status.is_ignored()), "{}", row.key);
    }
    let always: Vec<_> = config_keys().iter().filter(|r| r.is_always()).map(|r| r.key).collect();
    assert!(always.contains(&"messageQueue") && always.contains(&"rootCoord.address"));
    assert!(!always.contains(&"indexNode.workerSlotUnit") && !always.contains(&"dataNode.import.maxConcurrentTaskNum"));
}

#[test]
fn the_chart_s_own_keys_are_told_from_a_user_s() {
    let chart = semver::Version::parse("4.2.58").unwrap();
    for (key, value, own) in [
        ("dataCoord.port", "13333", true),
        ("DATACOORD_PORT", "13333", true),
        ("dataCoord.port", "23333", false),
        ("rootCoord.address", "whatever-rootcoord", true),
        ("indexNode.enableDisk", "false", true),
        ("indexNode.workerSlotUnit", "16", false),
    ] {
        for chart in [Some(&chart), None, Some(&semver::Version::new(9, 0, 0))] {
            assert_eq!(chart_writes(key, value, chart), own, "{key}: {value}");
        }
    }
    let asked =
        |key: &str| config_keys().iter().any(|k| k.key == key) || default_changes().iter().any(|d| d.key == key);
    assert!(chart_keys().iter().all(|r| asked(r.key)), "a key that no rule asks for");
    assert!(chart_keys().iter().all(|r| r.from < r.before));
}

#[test]
fn notes_go_along_hops() {
    assert!(notes().iter().all(|n| hops().direct(n.from, n.to).is_some()));
    assert!(!notes().is_empty());
}

#[test]
fn changed_defaults_differ() {
    assert!(
        default_changes()
            .iter()
            .all(|d| d.old != d.new && !d.matters.is_empty())
    );
}

#[test]
fn charts_do_not_overlap() {
    let table = charts();
    let chart = |t: &str| semver::Version::parse(t).unwrap();
    assert!(table.shapes.iter().all(|s| s.from < s.before));
    assert!(table.shapes.windows(2).all(|w| w[0].before <= w[1].from));
    assert!(
        table
            .releases
            .windows(2)
            .all(|w| w[0].chart < w[1].chart && w[0].app <= w[1].app)
    );
    assert_eq!(
        table.shape(&chart("4.2.58")).unwrap().liveness,
        Some(Liveness::TcpSocket)
    );
    assert!(table.shape(&chart("4.2.58")).unwrap().legacy_services);
    let brought = |version: &str| table.shape(&chart(version)).unwrap().etcd_chart.clone();
    assert_eq!(
        [brought("4.2.58"), brought("5.0.19")],
        [Some(chart("6.3.3")), Some(chart("8.12.0"))]
    );
    assert!(table.shape(&chart("5.0.19")).unwrap().resource_groups);
    assert!(!table.shape(&chart("5.0.6")).unwrap().resource_groups);
    let last = &table.shapes.last().unwrap().before;
    assert!(table.shape(last).is_none());
    assert!(table.shape(&chart("4.2.40")).is_none());
    assert_eq!(table.app_version(&chart("5.0.27")), Some(&v("3.0.1")));
    assert_eq!(table.marks.milvus_2_6.chart, chart("5.0.0"));
}

#[test]
fn sizes_follow_the_query_nodes() {
    let table = sizing();
    assert!(
        table
            .streamingnode
            .windows(2)
            .all(|w| w[0].up_to_querynode_cores < w[1].up_to_querynode_cores)
    );
    for (cores, replicas, cpu, memory) in [
        (0.5, 1, "2", "8Gi"),
        (16.0, 1, "2", "8Gi"),
        (16.5, 1, "4", "16Gi"),
        (64.0, 2, "4", "16Gi"),
        (128.0, 2, "8", "32Gi"),
        (129.0, 3, "8", "32Gi"),
        (256.0, 4, "8", "32Gi"),
    ] {
        let (nodes, size) = table.streamingnodes(cores);
        assert_eq!(
            (nodes, size.cpu.to_string(), size.memory.to_string()),
            (replicas, cpu.into(), memory.into()),
            "{cores}"
        );
    }
    let q = |t: &str| Some(crate::kube::quantity::Quantity::parse(t).unwrap());
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(near(table.units(q("500m"), q("1Gi")), 1.0));
    assert!(near(table.units(q("8"), q("16Gi")), 2.0));
    assert!(near(table.units(q("3"), q("64Gi")), 1.5));
    assert!(near(table.units(None, q("64Gi")), 8.0));
    assert!(near(table.units(q("4"), None), 2.0));
    assert!(near(table.units(None, None), 1.0));
}

#[test]
fn ports_are_those_of_roles() {
    let numbers = |role| ports(role).map(|p| p.port).collect::<Vec<_>>();
    assert_eq!(numbers(Role::StreamingNode), [22222, 21123, 9091]);
    assert_eq!(numbers(Role::MixCoord), [53100, 9091]);
    assert_eq!(numbers(Role::Cdc), [9091]);
    let table: Vec<PortRow> = load("ports");
    assert!(
        table
            .iter()
            .all(|p| p.role == "any" || Role::from_argument(&p.role).is_some())
    );
}

#[test]
fn a_port_moves_with_the_version_that_moved_it() {
    let table: Vec<PortRow> = load("ports");
    let moved = table.iter().find(|row| row.moved_at == Some(v("2.6.8"))).unwrap();
    for (version, port) in [
        (None, 53100),
        (Some("2.6.7"), 53100),
        (Some("2.6.8"), 22125),
        (Some("2.6.20"), 22125),
    ] {
        assert_eq!(moved.default_of(version.map(v).as_ref()), port, "{version:?}");
    }
}

#[test]
fn ranges_of_charts_have_their_first_and_not_their_end() {
    let chart = |text: &str| semver::Version::parse(text).unwrap();
    let row = chart_keys().iter().find(|row| row.key == "dataCoord.port").unwrap();
    let avoided = &charts().avoid[0];
    for (version, written) in [("4.1.32", false), ("4.1.33", true), ("5.0.19", true), ("5.0.20", false)] {
        assert_eq!(row.covers(&chart(version)), written, "{version}");
    }
    for (version, avoid) in [("4.2.20", false), ("4.2.21", true), ("4.2.29", true), ("4.2.30", false)] {
        assert_eq!(avoided.contains(&chart(version)), avoid, "{version}");
    }
}
