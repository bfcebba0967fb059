# Bundled Pulsar's init Jobs. The chart renders them at install only, unless it is told to initialize again. Helm 4 adds a
# line break to their folded texts before it shows them to a post-renderer, and a Job that exists cannot be changed.
pulsar() { # VERSION
  v=$1 values=legacy
  local jobs=(--set pulsarv3.jobs=true)
  ground pulsar
  check "installs with Pulsar's init Job" helm_install $old_chart $floor "${one_coordinator[@]}" "${jobs[@]}" || return 0
  current
  check "the first upgrade passes" uplift $new_chart $target --stage next -- "${jobs[@]}" || return 0
  # On Helm 4 the first pass through any post-renderer changes the bookies' texts: what is not Milvus goes first.
  check "and is stage $(is4 "$v" && echo 0 || echo 1)" is_stage "$(is4 "$v" && echo 0 || echo 1)"
  check "the Job, which is rendered at install only, is gone" fails k get job $release-pulsarv3-pulsar-init

  jobs+=(--set pulsarv3.initialize=true)
  ground pulsar-again
  check "installs with a Job that is rendered every time" helm_install $old_chart $floor "${one_coordinator[@]}" "${jobs[@]}" || return 0
  current
  catch "$d/said" uplift $new_chart $target --stage next -- "${jobs[@]}"
  if is4 "$v"; then
    check "Helm 4 fails on it: what the Job was installed with is not what any post-renderer gets to see" immutable
    check "until the finished Job is out of its way" k delete job $release-pulsarv3-pulsar-init
    check "then the same command passes" uplift $new_chart $target --stage next -- "${jobs[@]}"
  else
    check "Helm 3 passes" ended 0
  fi
}
immutable() { [ $code != 0 ] && says "$d/said" "field is immutable"; }
