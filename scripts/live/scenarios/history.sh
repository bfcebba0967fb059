# What `--current release:NAME` makes of revisions that failed, never ended, were superseded or rolled back from.
history() { # VERSION
  local given mended
  v=$1 values=legacy
  ground history
  check "installs $floor with one coordinator" helm_install $old_chart $floor "${one_coordinator[@]}" || return 0
  check "a second revision" helm_upgrade $old_chart $floor "${one_coordinator[@]}" --set log.level=debug || return 0
  asks "superseded and deployed" ${floor#v} ${floor#v}

  # Stage 1 whose pods never get ready: Helm gives up, but 2.6 has run.
  catch "$d/failed" staged_by_name --stage 1 -- --set-string 'annotations.milvus-uplift\.test/fail=yes' --timeout 15s
  check "an upgrade whose pods never get ready fails" failed_last
  asks "failed" ${floor#v} ${target#v}
  judges "going on at 2.5 after it is a downgrade" v2.5.22 MU104
  judges "trying again is none" $target ''
  k get secrets -l "owner=helm,name=$release" -o yaml > "$d/records.yaml"
  run_helm get manifest $release -n "$ns" > "$d/last.yaml"
  check "by release:NAME stage 1 is due again" due "release:$release" 1
  check "by Helm's records, too" due "$d/records.yaml" 1
  if ! is4 "$v"; then
    given $target
    run_helm template $release "$charts/$new_chart.tgz" -n "$ns" "${given[@]}" --set-string 'annotations.milvus-uplift\.test/fail=yes' > "$d/target.yaml"
    check "(the trap is real: by the last manifest it would be stage 2)" due "$d/last.yaml" 2
  fi

  # The next one never ends.
  # Helm 3 compares with the deployed revision alone: what a failed one added has to be set otherwise, or it stays.
  mended=(--set-string 'annotations.milvus-uplift\.test/fail=no')
  check "Helm is killed" die changed staged_by_name --stage 1 -- "${mended[@]}" || return 0
  check "and leaves it pending" pending || return 0
  asks "failed and pending" ${floor#v} ${target#v}
  judges "going on at 2.5 after it is a downgrade" v2.5.22 MU104
  by_name inspect --write-state "$d/state.yaml" > /dev/null 2>&1 || true
  check "the lock is lifted" unlock || return 0
  asks "failed" ${floor#v} ${target#v}
  check "stage 1 passes in the end" staged_by_name --stage 1 -- "${mended[@]}" || return 0
  asks "failed, then deployed" ${floor#v} ${target#v}

  # Helm takes anything back without asking anybody.
  check "helm rollback below 2.6 is carried out" run_helm rollback $release 2 -n "$ns" --wait --timeout 300s
  asks "rolled back" ${floor#v} ${target#v}
  judges "staying at 2.5 is a downgrade" v2.5.22 MU104
  judges "the way on to 2.6 is open" $target ''
}
by_name() { # COMMAND ARG...   the program, which asks Helm itself
  HELM_BIN=${helms[$v]} "$binary" "$@" --current "release:$release" --namespace "$ns" --helm-timeout 120
}
asks() { # NAME LOWEST HIGHEST
  by_name inspect --format json > "$d/inspect.json" 2> "$d/inspect.err" || true
  check "release:NAME with a history that is $1" seen "$2" "$3" || true
}
seen() { # VERSION HIGHEST
  python3 - "$d/inspect.json" "$@" <<'PY' || { cat "$d/inspect.err"; return 1; }
import json, sys
text = open(sys.argv[1]).read()
found = json.loads(text)
print(json.dumps(found)[:800])
release = found["releases"][0]
got = (release["version"], release["highest"])
sys.exit(0 if got == tuple(sys.argv[2:]) else f"version and highest: {got}, wanted {sys.argv[2:]}")
PY
}
judges() { judged_by "release:$release" "$@"; }
judged_by() { # CURRENT NAME TAG [CODE]   what `check` says of a stream of that version; no code: no refusal
  local current=$1 name=$2 tag=$3 code=${4-} given chart=$new_chart more=("${architecture[@]}")
  [[ $tag != v2.5* ]] || chart=$old_chart more=()
  given "$tag"
  run_helm template $release "$charts/$chart.tgz" -n "$ns" "${given[@]}" "${one_coordinator[@]}" ${more[@]+"${more[@]}"} > "$d/target.yaml"
  HELM_BIN=${helms[$v]} "$binary" check --current "$current" --namespace "$ns" --helm-timeout 120 --report "$d/report.json" "$d/target.yaml" > "$d/said" 2>&1 || true
  check "$name" judged "$code" || true
}
due() { # CURRENT STAGE   what --stage next makes of the stream that was judged last
  HELM_BIN=${helms[$v]} "$binary" check --current "$1" --namespace "$ns" --helm-timeout 120 --stage next --report "$d/report.json" "$d/target.yaml" > "$d/said" 2>&1 || true
  is_stage "$2"
}
judged() { # CODE
  python3 - "$d/report.json" "$1" <<'PY' || { cat "$d/said"; return 1; }
import json, sys
found = {f["code"] for f in json.load(open(sys.argv[1]))["findings"] if f["severity"] == "refuse" and not f["allowed"]}
sys.exit(0 if (sys.argv[2] in found if sys.argv[2] else not found) else f"refusals: {found}")
PY
}
staged_by_name() { # [PROGRAM'S ARG...] [-- HELM'S ARG...]
  local post given args=(--current "release:$release" --namespace "$ns" --helm-timeout 120 --report "$d/report.json")
  given $target
  while [ $# -gt 0 ] && [ "$1" != -- ]; do args+=("$1"); shift; done
  [ $# -eq 0 ] || shift
  with "${args[@]}"
  HELM_BIN=${helms[$v]} helm_upgrade $new_chart $target "${post[@]}" "$@"
}
failed_last() { [ -n "$(history_field failed)" ] || { cat "$d/failed"; run_helm history $release -n "$ns"; return 1; }; }
