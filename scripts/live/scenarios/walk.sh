# From 2.5.10 with separate coordinators to 2.6, stage by stage, with all that must be refused on the way.
# Leaves $d/staged.json, the watcher's figures of the way from 2.5 to 2.6.
old_chart=milvus-4.2.58 new_chart=milvus-5.0.19
first=v2.5.10 floor=v2.5.16 target=v2.6.16

walk() { # VERSION [VALUES]
  v=$1 values=${2:-legacy}
  ground "walk${2:+-$2}"
  # A rolling mixcoord that never has fewer than it wants: both versions live side by side for a while.
  strategy=()
  [ "$values" != standby ] || strategy=(--set mixCoordinator.strategy.rollingUpdate.maxUnavailable=0 --set mixCoordinator.strategy.rollingUpdate.maxSurge=1)
  check "installs $first with separate coordinators" helm_install $old_chart $first "${strategy[@]}" || return 0
  too_early
  consolidate || return 0
  out_of_order
  stages || return 0
  [ "$values" = standby ] || afterwards
}

refused_for() { # CODE...
  [ $code != 0 ] || { echo "Helm ended well"; return 1; }
  python3 - "$d/report.json" "$@" <<'PY' || { cat "$d/said"; return 1; }
import json, sys
report = json.load(open(sys.argv[1]))
missing = set(sys.argv[2:]) - {f["code"] for f in report["findings"] if f["severity"] == "refuse" and not f["allowed"]}
sys.exit(f"verdict {report['verdict']}, without {missing}" if missing or report["verdict"] != "refuse" else 0)
PY
}
refuse() { # NAME CODES CHART TAG [ARG...]   refused for this code, and nothing moved
  local name=$1 wanted=$2; shift 2
  rm -f "$d/report.json"
  untouched "$name: release and cluster are as before" everything uplift "$@"
  check "$name: refused with $wanted" refused_for $wanted || true
}
too_early() {
  current
  refuse "2.6 straight from $first" "MU101 MU105" $new_chart $target
}
out_of_order() {
  current
  refuse "stage 3 first" MU115 $new_chart $target --stage 3
  refuse "another queue" MU301 $new_chart $target --stage next -- \
    --set pulsarv3.enabled=false --set externalPulsar.enabled=false --set kafka.enabled=true
  refuse "a rollback that is armed" MU607 $new_chart $target --stage next -- "$(is4 "$v" && echo --rollback-on-failure || echo --atomic)"
}
consolidate() {
  current
  mark consolidate
  check "consolidates to $floor through the post-renderer" uplift $old_chart $floor -- "${strategy[@]}" || return 1
  check "the old pods end" settled
  check "one coordinator is left" none_of rootcoord querycoord datacoord indexcoord
  check "what was injected passes strict validation" strict
  mark consolidated
  check "no new role before its time, one queue" watched consolidate consolidated
}
stages() {
  local n
  mark upgrade
  for n in 1 2 3 4 5; do
    current
    check "stage $n passes" uplift $new_chart $target --stage next -- "${strategy[@]}" || return 1
    check "and is stage $n" is_stage "$n"
    check "stage $n: the old pods end" settled
    check "stage $n passes strict validation" strict
  done
  check "all of Milvus is on $target" only_target
  check "no old role is left" none_of rootcoord querycoord datacoord indexcoord indexnode
  mark upgraded
  check "the order was kept: no violation" watched upgrade upgraded --json "$d/staged.json"
}
is_stage() { [ "$(report releases 0 stage applied)" = "$1" ] || { echo "applied: $(report releases 0 stage)"; return 1; }; }
only_target() {
  local found
  found=$(images mixcoord streamingnode querynode datanode proxy)
  [ "$found" = "milvusdb/milvus:$target" ] || { echo "images: $found"; return 1; }
}
afterwards() {
  local overlays
  current
  untouched "the same command again changes no object and no pod" objects uplift $new_chart $target --stage next
  check "and Helm calls it a success" ended 0
  run_helm get manifest $release -n "$ns" > "$d/again.yaml"
  check "and the revision's manifest is the same" cmp "$d/current.yaml" "$d/again.yaml"
  untouched "without --stage, too" objects uplift $new_chart $target
  check "without --stage: a success" ended 0
  mapfile -t overlays < <(overlays)
  check "the report gives the values to commit (MU606)" [ ${#overlays[@]} -gt 0 ]
  # On Helm 4 any post-renderer adds a line break to Pulsar's folded texts: without one it goes again.
  untouched "the committed values without us change nothing" "$(is4 "$v" && echo milvus_objects || echo objects)" helm_upgrade $new_chart $target "${overlays[@]}"
  check "the committed values: a success" ended 0
}
# The same by a List of live objects, beside another release of Helm and with an autoscaler at work.
by_list() { # VERSION
  v=$1 values=legacy
  local n due=1
  # The first call through any post-renderer adds a line break to Pulsar's folded texts on Helm 4.
  ! is4 "$v" || due=0
  ground by-list
  check "installs $floor with one coordinator" helm_install $old_chart $floor "${one_coordinator[@]}" || return 0
  neighbour
  k scale deployment/$release-milvus-querynode --replicas=3 > /dev/null
  mark upgrade
  for n in $(seq $due 5); do
    list
    check "stage $n passes" uplift $new_chart $target --stage next || return 0
    check "and is stage $n" is_stage "$n"
    check "stage $n: the old pods end" settled
    check "stage $n passes strict validation" strict
  done
  mark upgraded
  check "all of Milvus is on $target" only_target
  check "the order was kept: no violation" watched upgrade upgraded
  list
  untouched "the same command again changes no object and no pod" objects uplift $new_chart $target --stage next
  check "and Helm calls it a success" ended 0
  check "the other release is as it was" k get configmap/neighbour deployment/neighbour -o name
}
list() { # -> $d/current.yaml
  k get deployments,statefulsets,services,configmaps,horizontalpodautoscalers,replicasets,pods -o yaml > "$d/current.yaml"
}
neighbour() {
  k create configmap neighbour --from-literal=a=b > /dev/null
  k create deployment neighbour --image=example.com/neighbour:v1 > /dev/null
  k annotate deployment/neighbour configmap/neighbour meta.helm.sh/release-name=neighbour "meta.helm.sh/release-namespace=$ns" > /dev/null
  k autoscale deployment/$release-milvus-querynode --min=2 --max=4 > /dev/null
}
ended() { [ "$code" = "$1" ] || { echo "exit $code"; cat "$d/said"; return 1; }; }
overlays() { # -> -f FILE for the values that MU606 gives
  python3 - "$d" <<'PY'
import json, sys
for i, f in enumerate(f for f in json.load(open(f"{sys.argv[1]}/report.json"))["findings"] if f["code"] == "MU606"):
    path = f"{sys.argv[1]}/overlay-{i}.yaml"
    open(path, "w").write(f["help"].split(":\n", 1)[1].split("\n(")[0] + "\n")
    print("-f", path, sep="\n")
PY
}
