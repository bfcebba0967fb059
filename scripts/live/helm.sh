# How the scenarios call Helm, the program and kubectl. To be sourced.
# Needs $work, $data, $binary, $charts, $plugins4, $watch (the program), $record (its file) and helms[VERSION].
# A scenario sets: v (the Helm), ns (its namespace), d (its directory), values (of testdata/e2e/values).
release=my-release
is4() { [[ $1 == v4* ]]; }
run_helm() {
  if is4 "$v"; then HELM_PLUGINS=$plugins4 "${helms[$v]}" "$@"; else "${helms[$v]}" "$@"; fi
}
k() { kubectl --namespace "$ns" "$@"; }

# --- what a scenario is judged by --------------------------------------------------------------------------------------
ok() { echo "ok    $say $1"; }
ko() { echo "FAIL  $say $1"; [ -z "${2-}" ] || printf '%s\n' "$2" | head -n 25 | cut -c1-600 | sed 's/^/      /'; }
check() { # NAME COMMAND...   passes where the command does; shows what it said where not
  local name=$1 said; shift
  if said=$("$@" 2>&1); then ok "$name"; else ko "$name" "${said:-(exit code alone)}"; return 1; fi
}
fails() { ! "$@"; }
says() { # FILE WORD...
  local file=$1 word; shift
  for word; do grep -qF -- "$word" "$file" || { echo "does not say $word:"; cat "$file"; return 1; }; done
}
catch() { # OUT COMMAND...   -> OUT (both outputs), $code; never fails
  local out=$1; shift; code=0
  "$@" > "$out" 2>&1 || code=$?
}

# --- a scenario's ground -----------------------------------------------------------------------------------------------
ground() { # NAME   -> $ns, $d, $say
  ns=$1-${v//./-} d=$work/runs/$1-$v say="$v $1:"
  mkdir -p "$d"
  kubectl create namespace "$ns" >/dev/null
  until_true 180 kubectl get serviceaccount default -n "$ns"
}
mark() { # NAME   a moment that the watcher's record can be cut at
  k create -f - >/dev/null <<YAML
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "$1", "labels": {"e2e-mark": "yes"}}, "spec": {"schedulerName": "nobody", "containers": [{"name": "none", "image": "none"}]}},
  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "$1", "labels": {"e2e-mark": "yes"}}}]}
YAML
}
watched() { # FROM TO [FLAG...]   the figures between two marks
  local from=$1 to=$2; shift 2
  "$watch" check --record "$record" --namespace "$ns" --from "$from" --to "$to" --pods "$@"
}

# --- Helm with and without us ------------------------------------------------------------------------------------------
# The coordinators as the upgrade guide wants them, and the new architecture.
one_coordinator=(--set mixCoordinator.enabled=true --set rootCoordinator.enabled=false --set queryCoordinator.enabled=false
  --set dataCoordinator.enabled=false --set indexCoordinator.enabled=false)
architecture=(--set streaming.enabled=true --set indexNode.enabled=false)
tagged() { # TAG   -> a values file with it
  local file=$work/tag-$1.yaml
  [ -e "$file" ] || { printf 'image: {all: {tag: %s}}\n' "$1" > "$file.$BASHPID" && mv "$file.$BASHPID" "$file"; }
  echo "$file"
}
given() { # TAG   -> $given, the values of every call
  given=(-f "$data/values/$values.yaml" -f "$data/values/live.yaml" -f "$(tagged "$1")")
}
helm_install() { # CHART TAG ARG...
  local chart=$1 given; given "$2"; shift 2
  run_helm install $release "$charts/$chart.tgz" -n "$ns" "${given[@]}" --wait --timeout 300s "$@"
}
helm_upgrade() { # CHART TAG ARG...   plain
  local chart=$1 given; given "$2"; shift 2
  run_helm upgrade $release "$charts/$chart.tgz" -n "$ns" "${given[@]}" --wait --timeout 300s "$@"
}
with() { # ARG...   -> $post, the flags that plug the program in with these arguments
  local arg
  if is4 "$v"; then post=(--post-renderer milvus-uplift); else post=(--post-renderer "$binary"); fi
  for arg; do post+=(--post-renderer-args "$arg"); done
}
uplift() { # CHART TAG [PROGRAM'S ARG...] [-- HELM'S ARG...]   helm upgrade through us; the report is $d/report.json
  local chart=$1 tag=$2 post given args=(--report "$d/report.json" --current "$d/current.yaml" --namespace "$ns"); shift 2
  given "$tag"
  while [ $# -gt 0 ] && [ "$1" != -- ]; do args+=("$1"); shift; done
  [ $# -eq 0 ] || shift
  args+=(--values "${given[1]}" --values "${given[3]}" --values "${given[5]}")
  with "${args[@]}"
  helm_upgrade "$chart" "$tag" "${post[@]}" "$@"
}
# What is deployed. The deployed revision and not the last, which `helm get manifest` gives by itself: that one may have
# failed, or never ended, and `--stage next` would go on behind a stage that is only half there.
current() { # -> $d/current.yaml
  run_helm get manifest $release -n "$ns" --revision "$(deployed)" > "$d/current.yaml"
}
deployed() { history_field deployed | tail -n 1; }
history_field() { # STATUS   -> the revisions that have it
  run_helm history $release -n "$ns" -o json |
    python3 -c 'import json, sys; [print(r["revision"]) for r in json.load(sys.stdin) if r["status"] == sys.argv[1]]' "$1"
}
report() { # KEY...   -> a value of the report of this upgrade's release
  python3 - "$d/report.json" "$@" <<'PY'
import json, sys
at = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    at = at and at[int(key) if key.isdigit() else key]
print(at)
PY
}

# A Helm that died leaves its record pending, and every later one refuses to go on. Without that record the revision
# before is the last again, which the next call compares with and starts from.
unlock() { k delete secret -l "owner=helm,name=$release,status=pending-upgrade" --wait; }

# --- the cluster -------------------------------------------------------------------------------------------------------
# --wait says nothing of pods that are still ending.
settled() {
  local end=$((SECONDS + 180)) ending
  while ending=$(ending) && [ -n "$ending" ]; do
    [ $SECONDS -lt $end ] || { echo "still ending: $ending"; return 1; }
    k wait --for=delete --timeout 60s $ending > /dev/null || true
  done
}
ending() { k get pods -o 'jsonpath={range .items[?(@.metadata.deletionTimestamp)]}pod/{.metadata.name} {end}'; }
kinds=deployments,statefulsets,services,configmaps,secrets,serviceaccounts,persistentvolumeclaims,horizontalpodautoscalers,servicemonitors
listed() { # FIELDS [SELECTOR]   one line for each object, without marks and Helm's own records
  k get $kinds -l "!e2e-mark,!owner${2:-}" -o "jsonpath={range .items[*]}{.kind}/{.metadata.name} $1{\"\\n\"}{end}" | sort
  k get pods -l '!e2e-mark,!job-name' -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{"\n"}{end}' | sort
}
# What is wanted of them and their pods: who owns which field of an object may move.
objects() { listed '{.metadata.uid} generation {.metadata.generation} {.metadata.labels} {.metadata.annotations} {.data}'; }
milvus_objects() { objects | grep -v pulsarv3-bookie; }
# Not a byte of any of them, and no new revision.
everything() { listed '{.metadata.uid} {.metadata.resourceVersion}'; run_helm history $release -n "$ns"; }
untouched() { # NAME objects|everything COMMAND...   the command leaves it as it was; -> $code, $d/said
  local name=$1 view=$2; shift 2
  $view > "$d/before"
  catch "$d/said" "$@"
  $view > "$d/after"
  check "$name" diff "$d/before" "$d/after" || true
}
images() { # ROLE...   -> the images of these roles' pods, terminating ones included
  local role
  for role; do k get pods -l "component=$role" -o 'jsonpath={range .items[*]}{.spec.containers[0].image}{"\n"}{end}'; done | sort -u
}
none_of() { # ROLE...   no Deployment and no pod of it
  local role found
  for role; do
    found=$(k get deployments,pods,services -l "component=$role" -o name)
    [ -z "$found" ] || { echo "still there: $found"; return 1; }
  done
}
strict() { # what is deployed passes the API server's strict validation
  run_helm get manifest $release -n "$ns" > "$d/strict.yaml"
  k apply --server-side --dry-run=server --validate=strict --force-conflicts --field-manager=e2e -f "$d/strict.yaml" > "$d/strict.said"
  grep -c 'serverside-applied (server dry run)' "$d/strict.said" | { read -r n; [ "$n" -gt 10 ]; }
}
