# The whole way by scripts/staged-upgrade, which asks `verify` between the stages.
by_script() { # VERSION
  v=$1 values=legacy
  local given
  ground by-script
  check "installs $floor with one coordinator" helm_install $old_chart $floor "${one_coordinator[@]}" || return 0
  kubectl get secrets -n "$ns" -l "owner=helm,name=$release" -o json > "$d/before.json"
  given $target
  check "verify: nothing is complete before" fails verified
  mark upgrade
  check "staged-upgrade walks to the end" staged_upgrade || { cat "$d/staged.log" | tail -n 30; return 0; }
  mark upgraded
  check "all of Milvus is on $target" only_target
  check "no old role is left" none_of rootcoord querycoord datacoord indexcoord indexnode
  check "the order was kept: no violation" watched upgrade upgraded
  check "verify: the upgrade is complete" verified
  untouched "the same call again changes no object and no pod" objects staged_upgrade
  check "and ends well" ended 0
  check "helm rollback below 2.6 is carried out" run_helm rollback $release 1 -n "$ns" --wait --timeout 300s
  check "verify: that is not the upgrade" fails verified
}
staged_upgrade() {
  local plugins=$work/none
  ! is4 "$v" || plugins=$plugins4
  HELM_PLUGINS=$plugins "$here/staged-upgrade" $release "$charts/$new_chart.tgz" --namespace "$ns" --program "$binary" \
    --helm "${helms[$v]}" --kubectl kubectl --interval 1 --timeout 600 --work "$d/staged" \
    --values "${given[1]}" --values "${given[3]}" --values "${given[5]}" -- "${given[@]}" > "$d/staged.log" 2>&1
}
verified() { # the cluster against what was deployed before the upgrade
  HELM_BIN=${helms[$v]} "$binary" verify --current "$d/before.json" --to "${target#v}" --namespace "$ns" --helm-timeout 120
}
