//! What a message gives to paste, at the place of the chart's values in an umbrella chart.

/// The blocks of values that messages show.
const BLOCKS: &[&str] = &["extraConfigFiles:", "externalEtcd:"];

/// A help text whose `--set` flags, `….enabled=` words and blocks of values reach the chart where an umbrella chart holds it,
/// below the keys of `path`; what says the place already stays. As it is where the chart stands alone.
pub fn placed(path: &[String], help: String) -> String {
    if path.is_empty() {
        return help;
    }
    let prefix: String = path.iter().map(|key| format!("{key}.")).collect();
    let mut out: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in help.split('\n') {
        if BLOCKS.contains(&line) {
            out.extend(
                path.iter()
                    .enumerate()
                    .map(|(depth, key)| format!("{}{key}:", "  ".repeat(depth))),
            );
            in_block = true;
        } else if !line.starts_with(' ') {
            in_block = false;
        }
        out.push(match in_block {
            true => format!("{}{line}", "  ".repeat(path.len())),
            false => flags(&prefix, line),
        });
    }
    out.join("\n")
}

/// A line with the prefix before each key that is set in it.
fn flags(prefix: &str, line: &str) -> String {
    let mut after_set = false;
    let words = line.split(' ').map(|word| {
        let key = word.trim_start_matches(['\'', '(']);
        let sets = after_set || key.split_once('=').is_some_and(|(key, _)| key.ends_with(".enabled"));
        after_set = word == "--set";
        match sets && !key.is_empty() && !key.starts_with(prefix) {
            true => format!("{}{prefix}{key}", &word[..word.len() - key.len()]),
            false => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::placed;
    use crate::rules::testkit::Scenario;

    #[test]
    fn flags_and_blocks_reach_the_chart_where_it_stands() {
        let path = ["stack".to_owned(), "vectors".to_owned()];
        for (help, want) in [
            (
                "keep it: --set a.b=c (or kafka.enabled=true)",
                "keep it: --set stack.vectors.a.b=c (or stack.vectors.kafka.enabled=true)",
            ),
            (
                "--set 'a=b' --set stack.vectors.c=d",
                "--set 'stack.vectors.a=b' --set stack.vectors.c=d",
            ),
            (
                "--assume target-mq=kafka -l a.b/c=d",
                "--assume target-mq=kafka -l a.b/c=d",
            ),
            ("f --set  x", "f --set  x"),
            (
                "values:\nextraConfigFiles:\n  user.yaml: |+\n    a: b\nthen --set c=d",
                "values:\nstack:\n  vectors:\n    extraConfigFiles:\n      user.yaml: |+\n        a: b\nthen --set stack.vectors.c=d",
            ),
            (
                "stack:\n  vectors:\n    extraConfigFiles:\n",
                "stack:\n  vectors:\n    extraConfigFiles:\n",
            ),
        ] {
            assert_eq!(placed(&path, help.to_owned()), want);
            assert_eq!(placed(&[], help.to_owned()), help);
        }
    }

    #[test]
    fn a_chart_that_stands_alone_is_set_as_it_is_and_one_below_another_at_its_key() {
        let scenario =
            Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("bucketName: milvus-bucket", "bucketName: other");
        let help = |scenario: &Scenario| scenario.of_rule("MU307").remove(0).help;
        assert!(
            help(&scenario).contains("--set minio.bucketName=milvus-bucket ("),
            "{}",
            help(&scenario)
        );
        let nested = scenario.edit_target("# Source: milvus/templates", "# Source: stack/charts/vectors/templates");
        assert!(
            help(&nested).contains("--set vectors.minio.bucketName=milvus-bucket ("),
            "{}",
            help(&nested)
        );
    }
}
