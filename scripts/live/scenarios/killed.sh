# Helm dies in the middle of every stage (SIGKILL: no handler runs), and the walk goes on by the way that the docs tell.
killed() { # VERSION
  local n
  v=$1 values=legacy
  ground killed
  check "installs $floor with one coordinator" helm_install $old_chart $floor "${one_coordinator[@]}" || return 0
  # On Helm 4 the first pass through any post-renderer changes Pulsar's texts (stage 0): not what this is about.
  current
  ! is4 "$v" || check "meets the post-renderer" uplift $old_chart $floor -- "${one_coordinator[@]}" || return 0
  mark upgrade
  for n in 1 2 3 4 5; do
    current
    # The last stage only takes away, and that is the last thing that Helm does: there it dies before.
    check "stage $n: Helm is killed in the middle" die "$([ $n = 5 ] && echo pending || echo changed)" uplift $new_chart $target --stage next || return 0
    check "stage $n: Helm leaves it pending" pending || return 0
    catch "$d/locked" uplift $new_chart $target --stage next
    check "stage $n: Helm refuses to go on" says "$d/locked" "another operation"
    check "stage $n: the lock is lifted" unlock || return 0
    current
    check "stage $n: the same command again passes" uplift $new_chart $target --stage next || return 0
    check "stage $n: and is stage $n" is_stage "$n"
    check "stage $n: the old pods end" settled
  done
  check "all of Milvus is on $target" only_target
  check "no old role is left" none_of rootcoord querycoord datacoord indexcoord indexnode
  mark upgraded
  check "the order was kept: no violation" watched upgrade upgraded
}
die() { # CONDITION COMMAND...   ends with Helm killed as soon as the condition holds
  local child condition=$1; shift
  generations > "$d/generations"
  # A process group of its own: Helm, its post-renderer, and nothing of ours.
  set -m
  ("$@") > "$d/killed" 2>&1 &
  child=$!
  set +m
  until_true 180 $condition || { kill -KILL -- -$child 2>/dev/null; echo "never $condition:"; cat "$d/killed"; return 1; }
  kill -0 -- -$child 2>/dev/null || { echo "Helm was faster"; return 1; }
  kill -KILL -- -$child
  wait $child 2>/dev/null || true
}
generations() { k get deployments -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.generation}{"\n"}{end}'; }
changed() { # a Deployment is another than it was
  generations > "$d/generations.now"
  ! cmp -s "$d/generations" "$d/generations.now"
}
pending() { [ -n "$(history_field pending-upgrade)" ] || { run_helm history $release -n "$ns"; return 1; }; }

# What the docs say of a pending revision: what its record alone knows, and why a rollback to it is no way out.
pending_only() { # VERSION
  v=$1 values=legacy
  ground pending-only
  check "installs $floor with one coordinator" helm_install $old_chart $floor "${one_coordinator[@]}" || return 0
  current
  check "Helm is killed before its first change" die pending uplift $new_chart $target || return 0
  by_name inspect --write-state "$d/state.yaml" > "$d/inspect.out" 2>&1 || true
  untouched "helm rollback to the pending revision leaves what should leave" legacy_objects run_helm rollback $release "$(history_field pending-upgrade)" -n "$ns" --wait --timeout 300s
  check "and is a success to Helm" ended 0
  check "2.6 runs beside it" says <(images streamingnode) "$target"
  judged_by "$d/state.yaml" "the state file from before the record went remembers 2.6" v2.5.22 MU104
}
legacy_objects() { k get deployments,services,horizontalpodautoscalers -l component=indexnode -o name; }
