//! Streams in the shape of the chart.

/// The release's roles before and after.
const NODES: [&str; 4] = ["proxy", "querynode", "datanode", "indexnode"];
const COORDINATORS: [&str; 4] = ["rootcoord", "querycoord", "datacoord", "indexcoord"];

/// A Deployment in the chart's shape. `words` stand behind `milvus run`.
pub fn deployment(role: &str, words: &str, tag: &str) -> String {
    format!(
        "---\n# Source: milvus/templates/{role}-deployment.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: rel-milvus-{role}\n  namespace: ns\n  labels:\n    \
         helm.sh/chart: milvus-4.2.58\n    app.kubernetes.io/name: milvus\n    app.kubernetes.io/instance: rel\n    component: \"{role}\"\nspec:\n  replicas: 1\n  \
         selector:\n    matchLabels:\n      app.kubernetes.io/name: milvus\n      app.kubernetes.io/instance: rel\n      component: \"{role}\"\n  \
         template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: milvus\n        app.kubernetes.io/instance: rel\n        component: \"{role}\"\n      \
         annotations:\n        checksum/config: 0123456789abcdef\n    spec:\n      containers:\n        - name: {role}\n          image: \"milvusdb/milvus:{tag}\"\n          \
         args: [ \"milvus\", \"run\", {words} ]\n          env:\n          ports:\n            - name: metrics\n              containerPort: 9091\n          \
         volumeMounts:\n            - name: milvus-config\n              mountPath: /milvus/configs/default.yaml\n              subPath: default.yaml\n            \
         - name: milvus-config\n              mountPath: /milvus/configs/user.yaml\n              subPath: user.yaml\n      \
         volumes:\n        - name: milvus-config\n          configMap:\n            name: rel-milvus\n"
    )
}

/// A metrics Service of a role.
pub fn service(role: &str) -> String {
    format!(
        "---\n# Source: milvus/templates/{role}-svc.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: rel-milvus-{role}\n  namespace: ns\n  labels:\n    \
         app.kubernetes.io/instance: rel\n    component: \"{role}\"\nspec:\n  type: ClusterIP\n  ports:\n    - name: metrics\n      port: 9091\n      targetPort: metrics\n  \
         selector:\n    app.kubernetes.io/name: milvus\n    app.kubernetes.io/instance: rel\n    component: \"{role}\"\n"
    )
}

/// The Milvus ConfigMap; `mq` is its queue section.
pub fn config(mq: &str) -> String {
    format!(
        "---\n# Source: milvus/templates/configmap.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: rel-milvus\n  namespace: ns\ndata:\n  default.yaml: |\n    \
         etcd:\n      endpoints:\n        - rel-etcd.ns.svc:2379\n    minio:\n      address: rel-minio\n      port: 9000\n      accessKeyID: minioadmin\n      \
         secretAccessKey: minio-hunter2\n      bucketName: milvus-bucket\n      rootPath: file\n{mq}    rootCoord:\n      port: 53100\n      enableActiveStandby: false\n    \
         queryCoord:\n      enableActiveStandby: false\n    indexCoord:\n      enableActiveStandby: false\n    dataCoord:\n      enableActiveStandby: false\n  user.yaml: |-\n    # nothing\n"
    )
}

const PULSAR: &str = "    mq:\n      type: pulsar\n    pulsar:\n      address: rel-pulsarv3-proxy\n      port: 6650\n";

fn dependencies() -> String {
    let mut out = String::new();
    for (name, labels) in [
        ("rel-etcd", "component: etcd"),
        ("rel-minio", "component: minio"),
        ("rel-pulsarv3-proxy", "component: pulsar-proxy"),
    ] {
        out.push_str(&format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n  ports:\n    - port: 80\n  selector:\n    {labels}\n\
             ---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: {name}\n  namespace: ns\nspec:\n  serviceName: {name}\n  selector:\n    matchLabels:\n      {labels}\n  \
             template:\n    metadata:\n      labels:\n        {labels}\n    spec:\n      containers:\n        - name: c\n          image: other:1\n"
        ));
    }
    out
}

const MIXTURE: &str = "\"mixture\", \"-rootcoord\", \"-querycoord\", \"-datacoord\", \"-indexcoord\"";

/// A cluster as chart 4.2.58 renders it, with separate coordinators or with mixcoord.
pub fn cluster(tag: &str, separate: bool) -> String {
    let mut out = config(PULSAR);
    out.push_str(&dependencies());
    let coordinators: Vec<(&str, String)> = match separate {
        true => COORDINATORS.iter().map(|r| (*r, format!("\"{r}\""))).collect(),
        false => vec![("mixcoord", MIXTURE.to_owned())],
    };
    let nodes = NODES.iter().map(|r| (*r, format!("\"{r}\"")));
    for (role, words) in coordinators.into_iter().chain(nodes) {
        out.push_str(&service(role));
        out.push_str(&deployment(role, &words, tag));
    }
    out
}

/// A cluster of 2.6: mixcoord, streaming node, no indexnode.
pub fn cluster26(tag: &str) -> String {
    let mut out = config(PULSAR);
    out.push_str(&dependencies());
    let roles = [
        ("mixcoord", MIXTURE),
        ("streamingnode", "\"streamingnode\""),
        ("proxy", "\"proxy\""),
        ("querynode", "\"querynode\""),
        ("datanode", "\"datanode\""),
    ];
    for (role, words) in roles {
        out.push_str(&service(role));
        out.push_str(&deployment(role, words, tag));
    }
    out.replace("milvus-4.2.58", "milvus-5.0.20")
}

/// A standalone release with a queue; `claim` is its data volume claim.
pub fn standalone(tag: &str, mq: &str, claim: &str) -> String {
    let mut out = config(&format!("    mq:\n      type: {mq}\n"));
    out.push_str(&dependencies());
    let mut workload = deployment("standalone", "\"standalone\"", tag);
    workload = workload.replace("      volumes:\n", &format!("            - name: disk\n              mountPath: /var/lib/milvus\n      volumes:\n        - name: disk\n          persistentVolumeClaim:\n            claimName: {claim}\n"));
    out.push_str(&workload);
    out
}

/// An autoscaler of a role.
pub fn autoscaler(role: &str, least: i64, most: i64) -> String {
    format!(
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: rel-milvus-{role}-hpa\n  namespace: ns\n  labels:\n    component: \"{role}\"\nspec:\n  \
         scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: rel-milvus-{role}\n  minReplicas: {least}\n  maxReplicas: {most}\n"
    )
}
