#!/usr/bin/env bash
# Extra: two hosts on one machine, as network namespaces with a cable between them (root; Debian: iproute2, openmpi-bin). Trains and embeds on both,
# compares the results with one process's, counts the bytes on the cable, kills a process, and pulls the cable.
#
# usage: scripts/test_hosts.sh PROGRAM      (a glassgpt with MPI, such as build/bin/glassgpt)
set -uo pipefail

[ $# -eq 1 ] && [ -x "$1" ] && [ "$(id -u)" -eq 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2; }
program=$(readlink -f "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
tag=gg$$
names=("$tag-0" "$tag-1")
addresses=(10.77.0.1 10.77.0.2)
failed=0

clean_up() {
  for name in "${names[@]}"; do ip netns del "$name" 2>/dev/null; done
  rm -rf "$work"
}
trap clean_up EXIT

for name in "${names[@]}"; do ip netns add "$name" || exit 1; done
ip link add "$tag-a" netns "${names[0]}" type veth peer name "$tag-b" netns "${names[1]}" || exit 1
ends=("$tag-a" "$tag-b")
for i in 0 1; do
  ip -n "${names[$i]}" link set lo up
  ip -n "${names[$i]}" addr add "${addresses[$i]}/24" dev "${ends[$i]}"
  ip -n "${names[$i]}" link set "${ends[$i]}" up
done

# What ssh is elsewhere: the first word is the host. Each has a name of its own, or mpirun would take them for one.
cat >"$work/agent" <<AGENT
#!/bin/sh
host=\$1
shift
case \$host in ${addresses[0]}) name=${names[0]} ;; *) name=${names[1]} ;; esac
exec ip netns exec \$name unshare --uts sh -c "hostname \$name; \$*"
AGENT
chmod +x "$work/agent"
printf '%s slots=1\n' "${addresses[@]}" >"$work/hosts"

on_both_hosts() {
  ip netns exec "${names[0]}" unshare --uts sh -c "hostname ${names[0]}; exec \"\$@\"" sh \
    timeout -k 5 180 mpirun --allow-run-as-root -n 2 --hostfile "$work/hosts" --map-by node --bind-to none \
    --mca plm_rsh_agent "$work/agent" --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
    --mca oob_tcp_keepalive_time 3 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3 -x GLASSGPT_THREADS=1 "$@"
}
cable_bytes() { ip netns exec "${names[0]}" cat "/sys/class/net/$tag-a/statistics/tx_bytes"; }
check() {
  local what=$1
  shift
  if "$@"; then echo "ok: $what"; else echo "FAILED: $what"; failed=1; fi
}
differs_by_less() { # FILE FILE: relative difference of the losses of two logs
  python3 - "$1" "$2" <<'PYTHON'
import json, sys
a, b = ([json.loads(line)["loss"] for line in open(name)] for name in sys.argv[1:])
worst = max(abs(x - y) / x for x, y in zip(a, b))
print(f"losses differ by {worst:.1e} of themselves")
sys.exit(len(a) != len(b) or worst > 1e-5)
PYTHON
}

cd "$work" || exit 1
cat "$root"/*.md "$root"/src/*/README.md >corpus.txt
echo '{"model_type":"gpt2","vocab_size":8192,"n_positions":64,"n_embd":128,"n_layer":4,"n_head":4,"position_encoding":"sinusoidal"}' >config.json
train="train -q --corpus corpus.txt --tokenizer $root/weights/mini --config config.json --batch-tokens 1024 --warmup 5 --log-every 1 --eval-every 0 --valid-tokens 64 --sample-tokens 0"
embed="embed -q -m $root/weights/mini --truncate window --input corpus.txt"

echo "== train on two hosts"
GLASSGPT_THREADS=1 "$program" $train --steps 10 -o one || exit 1
before=$(cable_bytes)
on_both_hosts "$program" $train --json --steps 10 -o two || failed=1
sent=$(($(cable_bytes) - before))
check "the loss of one process" differs_by_less one/log.jsonl two/log.jsonl
parameters=$((8192 * 128 + 4 * (12 * 128 * 128 + 13 * 128) + 2 * 128))
echo "sent by the first host in 10 steps: $sent bytes on the cable; the ideal all-reduce of two: $((10 * 4 * parameters)) of payload"

echo "== embed on two hosts"
GLASSGPT_THREADS=1 "$program" $embed -o vectors-one || exit 1
on_both_hosts "$program" $embed -o vectors-two || failed=1
check "the bytes of one process" diff -r vectors-one vectors-two

# Ends by itself, with an error: how long after the event?
expect_end() {
  local what=$1 event=$2 run=$3 begin
  on_both_hosts "$program" $train --steps 1000000 --checkpoint-every 10 -o "$run" >"$run.out" 2>"$run.err" &
  local job=$!
  for _ in $(seq 600); do
    compgen -G "$run/checkpoints/step_*.safetensors" >/dev/null && break
    sleep 0.1
  done
  begin=$SECONDS
  $event
  wait "$job"
  local code=$?
  echo "$what: ended after $((SECONDS - begin)) s with code $code"
  grep -hE 'glassgpt: error|lost communication|exited on signal' "$run.err" "$run.out" | head -3
  check "$what ends the run with an error" test $code -ne 0
  check "its checkpoint is whole" env GLASSGPT_THREADS=1 "$program" train -q -o "$run" --resume --steps 1
}
kill_far_process() {
  local pid
  pid=$(ip netns pids "${names[1]}" | while read -r p; do [ "$(readlink /proc/$p/exe)" = "$program" ] && echo "$p"; done | head -1)
  kill -9 "$pid"
}
pull_cable() { ip -n "${names[1]}" link set "$tag-b" down; }

echo "== a process of the far host is killed"
expect_end "a killed process" kill_far_process killed
echo "== the cable is pulled"
expect_end "a pulled cable" pull_cable pulled
# What the far host is left with ends by itself, once it misses the near one.
for _ in $(seq 60); do
  [ -z "$(ip netns pids "${names[1]}")" ] && break
  sleep 1
done
check "nothing is left running on the far host" test -z "$(ip netns pids "${names[1]}")"
exit $failed
